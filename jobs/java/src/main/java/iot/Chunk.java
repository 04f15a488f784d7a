package iot;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * Some ts in order, each once, kept as runs of equal steps: a regular sensor takes a few bytes for as long as it is
 * regular, an irregular one two to four bytes a reading.
 *
 * <p>All runs but the last stand in bytes, as numbers of seven bits a byte: the step times two; plus one when the number
 * of steps follows, which is one else.
 */
final class Chunk {
    /** Bytes from which on a chunk takes no more: a walk through it lasts less than a microsecond. */
    private static final int FULL = 256;

    private static final byte[] NOTHING = {};

    private final long first;
    private long last;
    private long step;
    private int steps;
    private byte[] runs = NOTHING;
    private int length;

    Chunk(long ts) {
        first = ts;
        last = ts;
    }

    long first() {
        return first;
    }

    long last() {
        return last;
    }

    boolean hasRoom() {
        return length < FULL;
    }

    /** Adds {@code count} ts behind the last one, each {@code by} ms further. */
    void append(long by, int count) {
        if (by != step) {
            close();
            step = by;
        }
        steps += count;
        last += by * count;
    }

    boolean contains(long ts) {
        if (ts < first) {
            return false;
        }
        Walk walk = new Walk();
        while (walk.next()) {
            if (ts <= walk.end()) {
                return (ts - walk.begin) % walk.step == 0;
            }
        }
        return ts == first;
    }

    /** These and one more before the last, which is not among them. */
    Chunk with(long ts) {
        Chunk chunk = new Chunk(Math.min(ts, first));
        if (ts < first) {
            chunk.append(first - ts, 1);
        }
        Walk walk = new Walk();
        while (walk.next()) {
            if (ts < walk.begin || ts > walk.end()) {
                chunk.append(walk.step, walk.steps);
                continue;
            }
            int before = (int) ((ts - walk.begin) / walk.step);
            if (before > 0) {
                chunk.append(walk.step, before);
            }
            long behind = walk.begin + walk.step * (before + 1L) - ts;
            chunk.append(walk.step - behind, 1);
            chunk.append(behind, 1);
            if (before + 1 < walk.steps) {
                chunk.append(walk.step, walk.steps - before - 1);
            }
        }
        return chunk;
    }

    /** These as two chunks, of which each has room. */
    Chunk[] halves() {
        Chunk[] halves = {new Chunk(first), null};
        Walk walk = new Walk();
        while (walk.next()) {
            if (halves[1] != null) {
                halves[1].append(walk.step, walk.steps);
            } else if (halves[0].length < FULL / 2) {
                halves[0].append(walk.step, walk.steps);
            } else {
                halves[1] = new Chunk(walk.begin + walk.step);
                if (walk.steps > 1) {
                    halves[1].append(walk.step, walk.steps - 1);
                }
            }
        }
        return halves;
    }

    /** A copy that shares nothing with this. */
    Chunk copy() {
        Chunk copy = new Chunk(first);
        copy.last = last;
        copy.step = step;
        copy.steps = steps;
        copy.runs = length == 0 ? NOTHING : Arrays.copyOf(runs, length);
        copy.length = length;
        return copy;
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(first);
        out.writeLong(last);
        out.writeLong(step);
        out.writeInt(steps);
        out.writeShort(length);
        out.write(runs, 0, length);
    }

    static Chunk read(DataInput in) throws IOException {
        Chunk chunk = new Chunk(in.readLong());
        chunk.last = in.readLong();
        chunk.step = in.readLong();
        chunk.steps = in.readInt();
        chunk.length = in.readShort();
        chunk.runs = chunk.length == 0 ? NOTHING : new byte[chunk.length];
        in.readFully(chunk.runs);
        return chunk;
    }

    /** Moves the open run into the bytes. */
    private void close() {
        if (steps == 1) {
            put(step << 1);
        } else if (steps > 1) {
            put(step << 1 | 1);
            put(steps);
        }
        steps = 0;
    }

    private void put(long number) {
        if (length + 10 > runs.length) {
            runs = Arrays.copyOf(runs, Math.max(16, Math.max(length + 10, Math.min(2 * length, FULL + 16))));
        }
        long rest = number;
        while (rest > 0x7f) {
            runs[length++] = (byte) (rest & 0x7f | 0x80);
            rest >>>= 7;
        }
        runs[length++] = (byte) rest;
    }

    /** Goes from run to run, from the ts {@code begin} on by {@code steps} steps. */
    private final class Walk {
        private long begin = first;
        private long step;
        private int steps;
        private int at;
        private boolean open = true;

        boolean next() {
            begin = end();
            if (at < length) {
                long number = get();
                step = number >>> 1;
                steps = (number & 1) == 0 ? 1 : (int) get();
                return true;
            }
            if (open && Chunk.this.steps > 0) {
                open = false;
                step = Chunk.this.step;
                steps = Chunk.this.steps;
                return true;
            }
            return false;
        }

        long end() {
            return begin + step * steps;
        }

        private long get() {
            long number = 0;
            int shift = 0;
            while (runs[at] < 0) {
                number |= (long) (runs[at++] & 0x7f) << shift;
                shift += 7;
            }
            return number | (long) runs[at++] << shift;
        }
    }
}
