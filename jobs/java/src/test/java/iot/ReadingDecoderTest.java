package iot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The decoder of the format: its fast parser against Flink's own JSON decoder, and every rule. */
class ReadingDecoderTest {
    private static final List<String> SENSORS = List.of("heartbeat", "TH1", "Mov1");
    private static final long TS = 1_577_836_800_000L;

    private final ExactParser exact = new ExactParser(new Validity(SENSORS));
    private DeserializationSchema<RowData> format;
    private Decoders.Decoder loose;

    @BeforeEach
    void open() throws Exception {
        format = Decoders.ofFormat(SENSORS, Decoders.COLUMNS);
        loose = Decoders.loose(SENSORS);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] reading(String site, String sensor, String ts, String value) {
        return bytes("{\"site\":" + site + ",\"sensor\":" + sensor + ",\"ts\":" + ts + ",\"value\":" + value + "}");
    }

    private static byte[] of(String value) {
        return reading("\"home\"", "\"TH1\"", String.valueOf(TS), value);
    }

    private static RowData row(String site, String sensor, Long measured, Double value) {
        return GenericRowData.of(StringData.fromString(site), StringData.fromString(sensor), measured, value);
    }

    private List<RowData> decoded(byte[] message) throws Exception {
        return Decoders.rows(format::deserialize, message);
    }

    private void assertSameAsFlink(byte[] message, boolean fast) throws Exception {
        String text = new String(message, StandardCharsets.UTF_8);
        assertEquals(Decoders.rows(loose, message), decoded(message), text);
        RowData parsed = exact.parse(message);
        assertEquals(fast, parsed != null, text);
        if (fast) {
            assertEquals(List.of(parsed), Decoders.rows(loose, message), text);
        }
    }

    @Test
    void whatTheContractWritesIsParsedFast() throws Exception {
        assertEquals(List.of(row("home", "TH1", TS, 22.5)), decoded(of("22.5")));
        assertSameAsFlink(of("22.5"), true);
        byte[] beat = reading("\"home\"", "\"heartbeat\"", String.valueOf(TS), "1");
        assertEquals(List.of(row("home", "heartbeat", TS, 1.0)), decoded(beat));
        assertSameAsFlink(beat, true);
        assertSameAsFlink(reading("\"-A.z_9\"", "\"Mov1\"", "1", "1.0"), true);
        assertSameAsFlink(reading("\"" + "x".repeat(64) + "\"", "\"Mov1\"", "253402300799999", "1.0"), true);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0", "-0", "0.0", "-0.0", "7", "-7", "0.1", "-273.15", "0.000001", "35.0", "123456789012345", "0.30000000000000004",
                "9007199254740992", "900719925474099.2", "0.9007199254740992", "3.0000000000000000", "0.00000000000000001"
            })
    void numbersOfFewDigitsAreExact(String number) throws Exception {
        boolean fits = !number.equals("0.30000000000000004") && !number.equals("3.0000000000000000");
        assertSameAsFlink(of(number), fits);
        assertEquals(
                Double.doubleToLongBits(Double.parseDouble(number)),
                Double.doubleToLongBits(decoded(of(number)).get(0).getDouble(3)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "00", "01.5", ".5", "5.", "+5", "-", "1e3", "1E-5", "9007199254740993", "1234567890.1234567890", "--1",
                "1.7976931348623157e308", "1e400", "9999999999999999999", "18446744073709551617", "\"5\"", "1.2.3", "", "1 "
            })
    void otherNumbersAreLeftToFlink(String number) throws Exception {
        assertSameAsFlink(of(number), false);
    }

    @Test
    void anyNumberIsTheDoubleThatJavaReads() throws Exception {
        SplittableRandom random = new SplittableRandom(1);
        int fast = 0;
        for (int round = 0; round < 20_000; round++) {
            StringBuilder number = new StringBuilder(random.nextBoolean() ? "-" : "");
            number.append(random.nextInt(10) == 0 ? 0 : random.nextLong(1, (long) Math.pow(10, random.nextInt(1, 18))));
            if (random.nextInt(4) > 0) {
                number.append('.');
                for (int digit = random.nextInt(1, 18); digit > 0; digit--) {
                    number.append(random.nextInt(10));
                }
            }
            byte[] message = of(number.toString());
            RowData parsed = exact.parse(message);
            fast += parsed == null ? 0 : 1;
            assertEquals(Decoders.rows(loose, message), decoded(message), number::toString);
            assertEquals(Double.parseDouble(number.toString()), decoded(message).get(0).getDouble(3), number::toString);
        }
        assertTrue(fast > 5_000 && fast < 15_000, "both ways are taken: " + fast);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "", " ", "{}", "[]", "null", "{\"site\":\"home\"", "{\"site\":\"", "{\"site\":\"home\",\"sensor\":\"TH1\"",
                "{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":", "{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":",
                "{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1",
                "{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1} ",
                "{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1}}",
                "{ \"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1}",
                "{\"sensor\":\"TH1\",\"site\":\"home\",\"ts\":1,\"value\":1}",
                "{\"site\":\"h\\u006fme\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1}",
                "{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1,\"x\":1}",
                "[{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1},{\"site\":\"home\"}]",
                "\uFEFF{\"site\":\"home\",\"sensor\":\"TH1\",\"ts\":1,\"value\":1}"
            })
    void otherFormsAreLeftToFlink(String text) throws Exception {
        assertSameAsFlink(bytes(text), false);
    }

    @Test
    void anArrayGivesARowForEachReading() throws Exception {
        String reading = new String(of("22.5"), StandardCharsets.UTF_8);
        RowData row = row("home", "TH1", TS, 22.5);
        assertEquals(List.of(row, row), decoded(bytes("[" + reading + "," + reading + "]")));
    }

    @Test
    void aRecordWithoutAValueGivesNoRow() throws Exception {
        assertEquals(List.of(), decoded(null));
        assertEquals(List.of(), decoded(new byte[0]));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "null | \"TH1\" | 1 | 1",
                "\"home\" | null | 1 | 1",
                "\"home\" | \"TH1\" | null | 1",
                "\"home\" | \"TH1\" | 1 | null",
                "\"a b\" | \"TH1\" | 1 | 1",
                "\"\" | \"TH1\" | 1 | 1",
                "\"home\" | \"TH2\" | 1 | 1",
                "\"home\" | \"th1\" | 1 | 1",
                "\"home\" | \"TH1\" | -1 | 1",
                "\"home\" | \"TH1\" | 0.5 | 1",
                "\"home\" | \"TH1\" | 253402300800000 | 1",
                "\"home\" | \"TH1\" | \"NaN\" | 1",
                "\"home\" | \"TH1\" | \"now\" | 1",
                "\"home\" | \"TH1\" | 1 | \"NaN\"",
                "\"home\" | \"TH1\" | 1 | 1e309",
                "\"home\" | \"TH1\" | 1 | -1e309",
                "\"home\" | \"TH1\" | 1 | \"warm\""
            })
    void whatBreaksARuleHasNoTime(String site, String sensor, String ts, String value) throws Exception {
        byte[] message = reading(site, sensor, ts, value);
        List<RowData> rows = decoded(message);
        assertEquals(1, rows.size());
        assertTrue(rows.get(0).isNullAt(2));
        assertNull(exact.parse(message));
    }

    @ParameterizedTest
    @CsvSource({"0, 0", "253402300799999, 253402300799999", "1.0, 1", "-0, 0", "1e3, 1000", "'\"5\"', 5"})
    void aWholeTimeInAnyFormIsOne(String ts, long measured) throws Exception {
        assertEquals(List.of(row("home", "TH1", measured, 1.0)), decoded(reading("\"home\"", "\"TH1\"", ts, "1")));
    }

    @Test
    void itIsSentToTheTasks() throws Exception {
        ByteArrayOutputStream sent = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(sent)) {
            out.writeObject(format);
        }
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(sent.toByteArray()))) {
            assertNotNull(((DeserializationSchema<?>) in.readObject()).getProducedType());
        }
    }

    @Test
    void otherColumnsAreRefused() {
        Exception refused =
                assertThrows(
                        ValidationException.class,
                        () ->
                                Decoders.ofFormat(
                                        SENSORS,
                                        DataTypes.ROW(
                                                DataTypes.FIELD("site", DataTypes.STRING()),
                                                DataTypes.FIELD("ts", DataTypes.BIGINT()))));
        assertTrue(refused.getMessage().contains("wants the columns ROW<`site` STRING, `sensor` STRING, `measured` BIGINT"));
    }
}
