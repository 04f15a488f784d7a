package iot;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import java.util.Arrays;

/**
 * The ts (epoch ms, from 0 on) that one sensor has sent, as far back as they are remembered, and the newest of them.
 *
 * <p>They stand in chunks, in order. To append takes the same time always; to find or insert an older one takes a binary
 * search over the chunks and a walk through one of them.
 */
public final class Seen {
    private long clock = -1;
    private boolean duplicate;
    private Chunk[] chunks = new Chunk[1];
    private int size;

    /**
     * Takes the next reading of the sensor in.
     *
     * @param ts when it was measured
     * @param day length of a day, ms
     * @param memory how long after its end a day is remembered, by the clock, ms
     */
    public void take(long ts, long day, long memory) {
        if (ts > clock) {
            clock = ts;
            duplicate = false;
            append(ts);
            forget(day, memory);
        } else {
            duplicate = remembered(ts, day, memory) && !insert(ts);
        }
    }

    /** The newest ts, -1 before the first reading. */
    public long clock() {
        return clock;
    }

    /** Whether the reading that was taken in last had been there before. */
    public boolean duplicate() {
        return duplicate;
    }

    private boolean remembered(long ts, long day, long memory) {
        return ts - ts % day + day + memory > clock;
    }

    private void append(long ts) {
        if (size == 0 || !chunks[size - 1].hasRoom()) {
            place(size, new Chunk(ts));
        } else {
            chunks[size - 1].append(ts - chunks[size - 1].last(), 1);
        }
    }

    /** Adds a ts that is not the newest; false when it is there. */
    private boolean insert(long ts) {
        int at = chunkOf(ts);
        if (at < 0) {
            if (size > 0 && chunks[0].hasRoom()) {
                replace(0, chunks[0].with(ts));
            } else {
                place(0, new Chunk(ts));
            }
            return true;
        }
        Chunk chunk = chunks[at];
        if (ts > chunk.last()) {
            if (chunk.hasRoom()) {
                chunk.append(ts - chunk.last(), 1);
            } else {
                place(at + 1, new Chunk(ts));
            }
        } else if (chunk.contains(ts)) {
            return false;
        } else {
            replace(at, chunk.with(ts));
        }
        return true;
    }

    /** The last chunk that begins at ts or before, -1 when there is none. */
    private int chunkOf(long ts) {
        int low = 0;
        int high = size - 1;
        while (low <= high) {
            int middle = (low + high) >>> 1;
            if (chunks[middle].first() <= ts) {
                low = middle + 1;
            } else {
                high = middle - 1;
            }
        }
        return high;
    }

    private void replace(int at, Chunk chunk) {
        if (chunk.hasRoom()) {
            chunks[at] = chunk;
        } else {
            Chunk[] halves = chunk.halves();
            chunks[at] = halves[0];
            place(at + 1, halves[1]);
        }
    }

    private void place(int at, Chunk chunk) {
        if (size == chunks.length) {
            chunks = Arrays.copyOf(chunks, size + (size >> 1) + 1);
        }
        System.arraycopy(chunks, at, chunks, at + 1, size - at);
        chunks[at] = chunk;
        size++;
    }

    /** Lets go of chunks in which nothing is remembered any more. */
    private void forget(long day, long memory) {
        int old = 0;
        while (old < size && !remembered(chunks[old].last(), day, memory)) {
            old++;
        }
        if (old > 0) {
            System.arraycopy(chunks, old, chunks, 0, size - old);
            Arrays.fill(chunks, size - old, size, null);
            size -= old;
        }
    }

    /** A copy that shares nothing with this. */
    Seen copy() {
        Seen copy = new Seen();
        copy.clock = clock;
        copy.duplicate = duplicate;
        copy.chunks = new Chunk[Math.max(1, size)];
        copy.size = size;
        for (int i = 0; i < size; i++) {
            copy.chunks[i] = chunks[i].copy();
        }
        return copy;
    }

    void write(DataOutput out) throws IOException {
        out.writeLong(clock);
        out.writeInt(size);
        for (int i = 0; i < size; i++) {
            chunks[i].write(out);
        }
    }

    static Seen read(DataInput in) throws IOException {
        Seen seen = new Seen();
        seen.clock = in.readLong();
        seen.size = in.readInt();
        seen.chunks = new Chunk[Math.max(1, seen.size)];
        for (int i = 0; i < seen.size; i++) {
            seen.chunks[i] = Chunk.read(in);
        }
        return seen;
    }
}
