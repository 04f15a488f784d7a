package iot;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.table.data.RowData;

/**
 * A program that says what becomes of records (scripts/fuzz/verdicts.py). Its arguments are the sensors that are known.
 *
 * <p>It reads records, each behind its length (4 bytes, big-endian; -1 for a record without a value), and writes a line
 * for each: a word that tells whether the fast parser took it ('exact' or 'loose'), the rows of the format's decoder, and
 * those of Flink's JSON decoder with the rules behind it, with tabs in between. Rows have spaces in between; one is
 * site/sensor/ts/bits of the value, or a hyphen when it is no valid reading.
 */
public final class Verdicts {
    private Verdicts() {}

    /** Reads standard input to its end. */
    public static void main(String[] sensors) throws Exception {
        DeserializationSchema<RowData> format = Decoders.ofFormat(List.of(sensors), Decoders.COLUMNS);
        Decoders.Decoder loose = Decoders.loose(List.of(sensors));
        ExactParser exact = new ExactParser(new Validity(List.of(sensors)));
        DataInputStream in = new DataInputStream(new BufferedInputStream(System.in, 1 << 16));
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
        for (byte[][] record = next(in); record != null; record = next(in)) {
            byte[] message = record[0];
            out.print(message != null && exact.parse(message) != null ? "exact\t" : "loose\t");
            out.print(text(Decoders.rows(format::deserialize, message)) + "\t");
            out.print(text(Decoders.rows(loose, message)) + "\n");
        }
        out.flush();
    }

    /** The next record in an array, null at the end. */
    private static byte[][] next(DataInputStream in) throws IOException {
        int length;
        try {
            length = in.readInt();
        } catch (EOFException end) {
            return null;
        }
        return new byte[][] {length < 0 ? null : in.readNBytes(length)};
    }

    private static String text(List<RowData> rows) {
        return rows.stream().map(Verdicts::text).collect(Collectors.joining(" "));
    }

    private static String text(RowData row) {
        if (row.isNullAt(2)) {
            return "-";
        }
        long bits = Double.doubleToLongBits(row.getDouble(3));
        return row.getString(0) + "/" + row.getString(1) + "/" + row.getLong(2) + "/" + Long.toHexString(bits);
    }
}
