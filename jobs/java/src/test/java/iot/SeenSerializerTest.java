package iot;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.util.Arrays;
import java.util.HexFormat;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

/** What Flink asks of the serializer, and the format of the checkpoints that are out there. */
class SeenSerializerTest {
    private static final long[] READINGS = {1_000, 1_100, 1_200, 2_200, 300};

    /** The readings, as format 1 has them. A change of this is a new format: see {@link SeenSerializer}. */
    private static final String WRITTEN = "01" // the format
            + "0000000000000898" + "00000001" // the clock, 2200; one chunk
            + "000000000000012c" + "0000000000000898" // which goes from 300 to 2200
            + "00000000000003e8" + "00000001" // its last run: one step of 1000
            + "0005" + "f80a" + "c901" + "02"; // five bytes of others: one step of 700, and of 100 two

    private final SeenSerializer serializer = new SeenSerializer();

    @Test
    void theFormatIsTheOneOfTheCheckpointsThatAreOutThere() throws IOException {
        assertEquals(WRITTEN, HexFormat.of().formatHex(written(taken())));
        assertHasTheReadings(serializer.deserialize(in(HexFormat.of().parseHex(WRITTEN))));
    }

    @Test
    void aSensorThatHasSentNothing() throws IOException {
        Seen seen = serializer.deserialize(in(written(serializer.createInstance())));
        assertEquals(-1, seen.clock());
        seen.take(0, Sensor.DAY, Sensor.MEMORY);
        assertFalse(seen.duplicate());
    }

    @Test
    void aFormatThatIsNotKnownIsSaid() {
        byte[] bytes = new byte[13];
        bytes[0] = 99;
        IOException error = assertThrows(IOException.class, () -> serializer.deserialize(in(bytes)));
        assertTrue(error.getMessage().startsWith("state of format 99"), error.getMessage());
    }

    @Test
    void whatWasCutOffIsRefused() {
        byte[] bytes = HexFormat.of().parseHex(WRITTEN);
        for (int length = 0; length < bytes.length; length++) {
            byte[] part = Arrays.copyOf(bytes, length);
            assertThrows(IOException.class, () -> serializer.deserialize(in(part)), length + " bytes");
        }
    }

    /** There are objects to be used again, of which nothing may stay. */
    @Test
    void everyWayToCopyGivesTheSame() throws IOException {
        Seen other = new Seen();
        other.take(5_000, Sensor.DAY, Sensor.MEMORY);
        assertHasTheReadings(serializer.copy(taken()));
        assertHasTheReadings(serializer.copy(taken(), other));
        assertHasTheReadings(serializer.deserialize(other, in(written(taken()))));
        DataOutputSerializer out = new DataOutputSerializer(64);
        serializer.copy(in(written(taken())), out);
        assertArrayEquals(written(taken()), out.getCopyOfBuffer());
    }

    /** Else it would copy nothing for a checkpoint; and a length that is fixed would be that of every sensor. */
    @Test
    void flinkKnowsThatASensorsStateChanges() {
        assertFalse(serializer.isImmutableType());
        assertEquals(-1, serializer.getLength());
    }

    @Test
    void aCheckpointSaysWhichSerializerReadsIt() throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        TypeSerializerSnapshot.writeVersionedSnapshot(out, serializer.snapshotConfiguration());
        TypeSerializerSnapshot<Seen> read =
                TypeSerializerSnapshot.readVersionedSnapshot(in(out.getCopyOfBuffer()), getClass().getClassLoader());
        assertInstanceOf(SeenSerializer.class, read.restoreSerializer());
        assertTrue(serializer.snapshotConfiguration().resolveSchemaCompatibility(read).isCompatibleAsIs());
    }

    private static Seen taken() {
        Seen seen = new Seen();
        for (long ts : READINGS) {
            seen.take(ts, Sensor.DAY, Sensor.MEMORY);
        }
        return seen;
    }

    private static void assertHasTheReadings(Seen seen) {
        assertEquals(2_200, seen.clock());
        for (long ts : READINGS) {
            seen.take(ts, Sensor.DAY, Sensor.MEMORY);
            assertTrue(seen.duplicate(), () -> ts + " was there");
            seen.take(ts - 1, Sensor.DAY, Sensor.MEMORY);
            assertFalse(seen.duplicate(), () -> ts - 1 + " was not");
        }
    }

    private byte[] written(Seen seen) throws IOException {
        DataOutputSerializer out = new DataOutputSerializer(64);
        serializer.serialize(seen, out);
        return out.getCopyOfBuffer();
    }

    private static DataInputDeserializer in(byte[] bytes) {
        return new DataInputDeserializer(bytes);
    }
}
