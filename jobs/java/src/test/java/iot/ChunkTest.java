package iot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A chunk of ts against the plain set of them. */
class ChunkTest {
    /** Bytes that a chunk takes when its last run is its only one: first, last, step, number of steps, and length. */
    private static final int BARE = 8 + 8 + 8 + 4 + 2;

    private static final long MINUTES_15 = 900_000;

    private final SplittableRandom random = new SplittableRandom(1);

    @Test
    void oneTs() throws IOException {
        assertHolds(set(7), new Chunk(7));
        assertHolds(set(0), new Chunk(0));
    }

    @Test
    void aRegularRunTakesNoRoomOfItsOwn() throws IOException {
        Chunk chunk = new Chunk(MINUTES_15);
        for (int i = 0; i < 100_000; i++) {
            chunk.append(MINUTES_15, 1);
        }
        assertEquals(BARE, written(chunk).length);
        assertEquals(100_001 * MINUTES_15, chunk.last());
        assertTrue(chunk.contains(77_777 * MINUTES_15));
        assertFalse(chunk.contains(77_777 * MINUTES_15 + 1));
        assertFalse(chunk.contains(100_002 * MINUTES_15));
    }

    @Test
    void countsOfSeveralStepsAreAsManySingleOnes() throws IOException {
        Chunk one = new Chunk(5);
        Chunk other = new Chunk(5);
        for (int count : new int[] {1, 3, 2, 130, 1}) {
            long by = count == 3 ? 10 : 20;
            one.append(by, count);
            for (int i = 0; i < count; i++) {
                other.append(by, 1);
            }
        }
        assertArrayEquals(written(one), written(other));
    }

    /** A number takes a byte for every seven bits: of the step times two, and of the number of steps beyond one. */
    @Test
    void aRunTakesAsManyBytesAsItsNumbersHaveSevenBits() throws IOException {
        long[] steps = {1, 63, 64, 8_191, 8_192, (1L << 34) - 1, 1L << 34, (1L << 41) - 1, 1L << 41};
        int[] bytes = {1, 1, 2, 2, 3, 5, 6, 6, 7};
        for (int i = 0; i < steps.length; i++) {
            assertEquals(BARE + bytes[i], written(closed(steps[i], 1)).length, "step " + steps[i]);
        }
        int[] counts = {2, 127, 128, 16_383, 16_384, 1 << 21, Integer.MAX_VALUE};
        int[] more = {1, 1, 2, 2, 3, 4, 5};
        for (int i = 0; i < counts.length; i++) {
            assertEquals(BARE + 2 + more[i], written(closed(900, counts[i])).length, counts[i] + " steps");
        }
    }

    @Test
    void everyStepAndEveryNumberOfStepsIsReadAsItWasWritten() throws IOException {
        for (long step : new long[] {1, 63, 64, 65, 127, 128, 8_191, 8_192, MINUTES_15, 1L << 34, 1L << 41}) {
            for (int count : new int[] {1, 2, 3, 127, 128, 129, 16_383, 16_384, 16_385}) {
                Chunk chunk = read(written(closed(step, count)));
                long end = 1_000 + step * count;
                assertEquals(end + step + 1, chunk.last());
                assertTrue(chunk.contains(1_000));
                assertTrue(chunk.contains(1_000 + step));
                assertTrue(chunk.contains(end));
                assertTrue(chunk.contains(end + step + 1));
                assertFalse(chunk.contains(999));
                assertFalse(chunk.contains(end + 1), "the next run's step is longer by one");
                assertFalse(chunk.contains(end + step + 2));
                assertEquals(step == 1, chunk.contains(1_001));
            }
        }
    }

    @Test
    void oneMoreAnywhere() throws IOException {
        for (int round = 0; round < 2_000; round++) {
            TreeSet<Long> wanted = some(random.nextInt(1, 40));
            Chunk chunk = of(wanted);
            byte[] before = written(chunk);
            long ts = random.nextLong(wanted.last() + 1);
            if (wanted.add(ts)) {
                assertHolds(wanted, chunk.with(ts));
                assertArrayEquals(before, written(chunk), "this one stays as it is");
            }
        }
    }

    @Test
    void aRunMayBeSplitAtEachOfItsSteps() throws IOException {
        TreeSet<Long> run = set(10, 20, 30, 40, 50, 55, 70, 80, 90);
        for (long ts = 0; ts < 90; ts++) {
            TreeSet<Long> wanted = new TreeSet<>(run);
            if (wanted.add(ts)) {
                assertHolds(wanted, of(run).with(ts));
            }
        }
    }

    /** As a sensor fills a hole: in the end it is one run again, if the readings come from its end. */
    @Test
    void aHoleThatIsFilledCostsNothing() throws IOException {
        Chunk chunk = new Chunk(0);
        chunk.append(10, 5);
        chunk.append(60, 1);
        chunk.append(10, 5);
        assertTrue(written(chunk).length > BARE);
        for (long ts = 60; ts < 110; ts += 10) {
            chunk = chunk.with(ts);
        }
        assertEquals(BARE, written(chunk).length);
    }

    /** How steps come decides where a chunk is cut: between runs, or within one. */
    @ParameterizedTest
    @ValueSource(strings = {"irregular", "pairs", "long runs", "wide"})
    void aFullChunkHasTwoHalvesWithRoom(String kind) throws IOException {
        for (int round = 0; round < 20; round++) {
            TreeSet<Long> wanted = set(random.nextLong(1_000));
            Chunk chunk = new Chunk(wanted.first());
            while (chunk.hasRoom()) {
                long step = random.nextLong(1, kind.equals("wide") ? 1L << 40 : 5_000);
                int count = kind.equals("pairs") ? 2 : kind.equals("long runs") ? random.nextInt(1, 20) : 1;
                for (int i = 0; i < count; i++) {
                    chunk.append(step, 1);
                    wanted.add(chunk.last());
                }
            }
            Chunk[] halves = chunk.halves();
            assertEquals(2, halves.length);
            assertTrue(halves[0].hasRoom());
            assertTrue(halves[1].hasRoom());
            assertHolds(new TreeSet<>(wanted.headSet(halves[1].first())), halves[0]);
            assertHolds(new TreeSet<>(wanted.tailSet(halves[1].first())), halves[1]);
            int smaller = Math.min(written(halves[0]).length, written(halves[1]).length) - BARE;
            assertTrue(smaller > 80, "halves are of a size, and one has " + smaller + " bytes");
        }
    }

    /** A chunk is split as soon as it is full; what one more ts adds to it finds room. */
    @Test
    void aChunkIsFullAt256Bytes() throws IOException {
        Chunk chunk = new Chunk(0);
        for (int i = 0; i < 256; i++) {
            assertTrue(chunk.hasRoom());
            chunk.append(1 + i % 2, 1);
        }
        assertEquals(BARE + 255, written(chunk).length);
        chunk.append(1, 1);
        assertEquals(BARE + 256, written(chunk).length);
        assertFalse(chunk.hasRoom());
    }

    @Test
    void aCopySharesNothing() throws IOException {
        for (int size : new int[] {1, 2, 3, 30, 100}) {
            TreeSet<Long> wanted = some(size);
            Chunk chunk = of(wanted);
            Chunk copy = chunk.copy();
            assertArrayEquals(written(chunk), written(copy));
            TreeSet<Long> others = new TreeSet<>(wanted);
            for (int i = 1; i < 20; i++) {
                chunk.append(i, 1);
                wanted.add(chunk.last());
                copy.append(50 + i, 1);
                others.add(copy.last());
            }
            assertHolds(wanted, chunk);
            assertHolds(others, copy);
        }
    }

    /** A run of its own in the bytes, behind 1000: the one that follows has another step. */
    private static Chunk closed(long step, int count) {
        Chunk chunk = new Chunk(1_000);
        chunk.append(step, count);
        chunk.append(step + 1, 1);
        return chunk;
    }

    /** Some ts, regular ones and others. */
    private TreeSet<Long> some(int size) {
        TreeSet<Long> set = new TreeSet<>();
        long ts = random.nextLong(100);
        while (set.size() < size) {
            set.add(ts);
            ts += random.nextInt(3) > 0 ? 10 : random.nextLong(1, 300);
        }
        return set;
    }

    private static TreeSet<Long> set(long... values) {
        TreeSet<Long> set = new TreeSet<>();
        for (long value : values) {
            set.add(value);
        }
        return set;
    }

    private static Chunk of(TreeSet<Long> set) {
        Chunk chunk = new Chunk(set.first());
        for (long ts : set.tailSet(set.first(), false)) {
            chunk.append(ts - chunk.last(), 1);
        }
        return chunk;
    }

    /** Says that a chunk holds these and no others, as it is and as it is read from what it wrote. */
    private static void assertHolds(TreeSet<Long> wanted, Chunk chunk) throws IOException {
        List<Long> around = new ArrayList<>();
        for (long ts : wanted) {
            around.addAll(List.of(ts - 1, ts, ts + 1));
        }
        for (Chunk each : List.of(chunk, read(written(chunk)))) {
            assertEquals(wanted.first(), each.first());
            assertEquals(wanted.last(), each.last());
            for (long ts : around) {
                assertEquals(wanted.contains(ts), each.contains(ts), () -> ts + " of " + wanted);
            }
        }
        assertArrayEquals(written(of(wanted)), written(chunk), "one set has one form");
    }

    private static byte[] written(Chunk chunk) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        chunk.write(new DataOutputStream(bytes));
        return bytes.toByteArray();
    }

    private static Chunk read(byte[] bytes) throws IOException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            Chunk chunk = Chunk.read(in);
            assertEquals(0, in.available());
            return chunk;
        }
    }
}
