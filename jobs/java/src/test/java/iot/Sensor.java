package iot;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;

/** A sensor whose readings are taken in one after the other, and the definition of what must be found. */
final class Sensor {
    /** ms */
    static final long DAY = 86_400_000;

    /** How long after its end a day is remembered when nothing is set, by the sensor's clock: L + C + B, ms. */
    static final long MEMORY = 2 * DAY + 10_000 + 7 * DAY + 10_000;

    static final long MINUTES_15 = 900_000;

    private static final SeenSerializer SERIALIZER = new SeenSerializer();

    private final Seen seen;
    private final long day;
    private final long memory;

    Sensor() {
        this(DAY, MEMORY);
    }

    Sensor(long day, long memory) {
        this(SERIALIZER.createInstance(), day, memory);
    }

    private Sensor(Seen seen, long day, long memory) {
        this.seen = seen;
        this.day = day;
        this.memory = memory;
    }

    /** For each of them: is it a duplicate? */
    List<Boolean> takes(List<Long> stream) {
        List<Boolean> found = new ArrayList<>();
        for (long ts : stream) {
            seen.take(ts, day, memory);
            found.add(seen.duplicate());
        }
        return found;
    }

    boolean takes(long ts) {
        return takes(List.of(ts)).get(0);
    }

    long clock() {
        return seen.clock();
    }

    Sensor copied() {
        return new Sensor(SERIALIZER.copy(seen), day, memory);
    }

    byte[] written() throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        SERIALIZER.serialize(seen, out);
        return out.getCopyOfBuffer();
    }

    Sensor restored() throws IOException {
        return new Sensor(SERIALIZER.deserialize(new DataInputDeserializer(written())), day, memory);
    }

    /**
     * The definition: for each ts of a sensor, in the order of sending, whether the sensor has sent it before, and the
     * end of its day is less than {@code memory} behind the sensor's clock.
     */
    static List<Boolean> duplicates(List<Long> stream, long day, long memory) {
        Set<Long> before = new HashSet<>();
        List<Boolean> found = new ArrayList<>();
        long clock = -1;
        for (long ts : stream) {
            clock = Math.max(clock, ts);
            long endOfDay = (ts / day + 1) * day;
            found.add(!before.add(ts) && endOfDay + memory > clock);
        }
        return found;
    }

    static List<Boolean> duplicates(List<Long> stream) {
        return duplicates(stream, DAY, MEMORY);
    }

    /**
     * Readings of a sensor that goes on at a cadence (ms), with holes and jitter, and sends older ones in between, new
     * and known.
     */
    static List<Long> stream(SplittableRandom random, long cadence, int size) {
        List<Long> stream = new ArrayList<>();
        long now = 0;
        while (stream.size() < size) {
            switch ("nnnnnnhjok".charAt(random.nextInt(10))) {
                case 'h' -> stream.add(now += cadence * random.nextInt(2, 6));
                case 'j' -> stream.add(now += cadence + random.nextLong(cadence + 1));
                case 'o' -> stream.add(Math.max(0, now - cadence * random.nextInt(41) - random.nextInt(2)));
                case 'k' -> stream.add(stream.isEmpty() ? 0 : stream.get(random.nextInt(stream.size())));
                default -> stream.add(now += cadence);
            }
        }
        return stream;
    }

    /** So many different ts from {@code begin} to before {@code end}, in order. */
    static List<Long> anyInstants(SplittableRandom random, int count, long begin, long end) {
        TreeSet<Long> instants = new TreeSet<>();
        while (instants.size() < count) {
            instants.add(random.nextLong(begin, end));
        }
        return new ArrayList<>(instants);
    }

    static void shuffle(SplittableRandom random, List<Long> stream) {
        for (int i = stream.size(); i > 1; i--) {
            Collections.swap(stream, i - 1, random.nextInt(i));
        }
    }

    /** A reading every 15 minutes: those with the numbers from {@code begin} to before {@code end}. */
    static List<Long> everyQuarter(int begin, int end) {
        List<Long> run = new ArrayList<>();
        for (int i = begin; i < end; i++) {
            run.add(i * MINUTES_15);
        }
        return run;
    }
}
