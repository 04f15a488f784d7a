package iot;

import static iot.Sensor.DAY;
import static iot.Sensor.MEMORY;
import static iot.Sensor.MINUTES_15;
import static iot.Sensor.anyInstants;
import static iot.Sensor.duplicates;
import static iot.Sensor.everyQuarter;
import static iot.Sensor.stream;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a sensor has sent, as the job remembers it, against the definition. */
class SeenTest {
    private static final int STREAMS = 1_500;

    private final SplittableRandom random = new SplittableRandom(1);

    @Test
    void beforeTheFirstReading() {
        Seen seen = new Seen();
        assertEquals(-1, seen.clock());
        assertFalse(seen.duplicate());
    }

    @Test
    void theClockIsTheNewestTs() {
        Sensor sensor = new Sensor();
        long[] stream = {0, 5, 3, 5, 7, 0};
        long[] clocks = {0, 5, 5, 5, 7, 7};
        for (int i = 0; i < stream.length; i++) {
            sensor.takes(stream[i]);
            assertEquals(clocks[i], sensor.clock());
        }
    }

    /** Also where it goes on from a copy, or from what was written, while the original goes on as well. */
    @ParameterizedTest
    @ValueSource(longs = {1, 977, MINUTES_15, DAY / 2})
    void duplicatesAreThoseOfTheDefinition(long cadence) throws IOException {
        for (int round = 0; round < STREAMS; round++) {
            List<Long> stream = stream(random, cadence, random.nextInt(20, 121));
            List<Boolean> wanted = duplicates(stream);
            int cut = random.nextInt(21);
            List<Long> rest = stream.subList(cut, stream.size());
            List<Boolean> wantedOfRest = wanted.subList(cut, stream.size());

            Sensor sensor = new Sensor();
            assertEquals(wanted.subList(0, cut), sensor.takes(stream.subList(0, cut)));
            Sensor restored = sensor.restored();
            Sensor copied = sensor.copied();
            byte[] before = sensor.written();
            assertEquals(wantedOfRest, copied.takes(rest), stream::toString);
            assertArrayEquals(before, sensor.written(), "a checkpoint is written of what a copy goes on changing");
            before = copied.written();
            sensor.takes(rest.stream().map(ts -> ts + 1).collect(Collectors.toList()));
            assertArrayEquals(before, copied.written());
            assertEquals(wantedOfRest, restored.takes(rest), stream::toString);
            assertArrayEquals(before, restored.written());
        }
    }

    /** Days and memories of a few ms are at their end all the time. */
    @Test
    void duplicatesAreThoseOfTheDefinitionForAnyDayAndMemory() {
        for (int round = 0; round < STREAMS; round++) {
            long day = random.nextLong(1, 50);
            long memory = random.nextLong(0, 100);
            List<Long> stream = stream(random, random.nextLong(1, 10), random.nextInt(20, 121));
            assertEquals(
                    duplicates(stream, day, memory),
                    new Sensor(day, memory).takes(stream),
                    () -> "day " + day + ", memory " + memory + ": " + stream);
        }
    }

    /** By the millisecond, whatever of the day it is. */
    @ParameterizedTest
    @ValueSource(longs = {0, 1, DAY - 1})
    void aDayIsForgottenWhenTheClockIsSoFar(long ts) {
        assertEquals(List.of(false, false, true), new Sensor().takes(List.of(ts, DAY + MEMORY - 1, ts)));
        assertEquals(List.of(false, false, false), new Sensor().takes(List.of(ts, DAY + MEMORY, ts)));
    }

    /** Enough of them for chunks to fill up, to be split, and to be let go. */
    @ParameterizedTest
    @ValueSource(strings = {"forwards", "backwards", "shuffled", "gaps last"})
    void manyIrregularReadingsInAnyOrder(String order) throws IOException {
        for (int days : new int[] {4, 40}) {
            List<Long> stream = anyInstants(random, 2_000, 0, days * DAY);
            switch (order) {
                case "backwards" -> Collections.reverse(stream);
                case "shuffled" -> Sensor.shuffle(random, stream);
                case "gaps last" -> {
                    for (int i = stream.size() - 1; i >= 0; i--) {
                        stream.add(stream.get(i) + 1);
                    }
                }
                default -> { }
            }
            Sensor first = new Sensor();
            List<Boolean> found = new ArrayList<>(first.takes(stream));
            found.addAll(first.restored().takes(stream));
            stream.addAll(List.copyOf(stream));
            assertEquals(duplicates(stream), found);
        }
    }

    @Test
    void aRegularRunMayBeSplitAnywhere() throws IOException {
        List<Long> run = everyQuarter(1, 10);
        List<Long> within = run.subList(0, 8);
        List<Long> splits = new ArrayList<>(List.of(7L));
        within.forEach(ts -> splits.add(ts + 7));
        for (long split : splits) {
            Sensor sensor = new Sensor();
            assertFalse(sensor.takes(run).contains(true));
            assertFalse(sensor.takes(split));
            Sensor restored = sensor.restored();
            for (long ts : within) {
                assertFalse(restored.takes(ts + 1), ts + 1 + " is another than " + split);
            }
            assertTrue(sensor.takes(split));
            assertFalse(sensor.takes(run).contains(false));
        }
    }

    @Test
    void aRegularSensorTakesNoMoreRoomWithTime() throws IOException {
        Sensor sensor = new Sensor();
        sensor.takes(everyQuarter(0, 10));
        int few = sensor.written().length;
        sensor.takes(everyQuarter(10, 1_500));
        assertEquals(few, sensor.written().length);
        assertFalse(sensor.takes(everyQuarter(700, 900)).contains(false));
    }

    /** Half a year of readings at any instant; ten days of them are remembered. */
    @Test
    void whatIsTooOldIsLetGo() throws IOException {
        Sensor sensor = new Sensor();
        List<Integer> sizes = new ArrayList<>();
        for (int day = 0; day < 180; day += 10) {
            sensor.takes(anyInstants(random, 100, day * DAY, (day + 10) * DAY));
            sizes.add(sensor.written().length);
        }
        assertTrue(Collections.max(sizes) < 3 * sizes.get(0), sizes::toString);
    }

    /** One reading long after all others leaves the chunk that it stands in, and no other. */
    @Test
    void aLongSilenceLetsAllButOneChunkGo() throws IOException {
        Sensor sensor = new Sensor();
        sensor.takes(anyInstants(random, 2_000, 0, 5 * DAY));
        assertTrue(sensor.written().length > 5_000);
        sensor.takes(1_000 * DAY);
        assertTrue(sensor.written().length < 350);
    }
}
