package iot;

import java.io.IOException;
import java.io.Serializable;
import java.util.Arrays;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.Collector;

/** Reads whatever Flink's own JSON decoder takes for readings, and judges them. */
final class LooseDecoder implements Serializable {
    private static final long serialVersionUID = 1L;

    private static final byte NEVER = (byte) 0xff;

    /** With the other one it is the byte order mark of UTF-16. */
    private static final byte MARK = (byte) 0xfe;

    private final DeserializationSchema<RowData> json;
    private final Validity validity;

    /** {@code json} gives rows (site STRING, sensor STRING, ts DOUBLE, value DOUBLE): a DOUBLE, to see a fraction. */
    LooseDecoder(DeserializationSchema<RowData> json, Validity validity) {
        this.json = json;
        this.validity = validity;
    }

    void open(DeserializationSchema.InitializationContext context) throws Exception {
        json.open(context);
    }

    /** Collects a row for each reading of a message, as {@link ReadingDecoder} does. */
    void decode(byte[] message, Collector<RowData> out) throws IOException {
        json.deserialize(
                readable(message),
                new Collector<>() {
                    @Override
                    public void collect(RowData row) {
                        out.collect(judged(row));
                    }

                    @Override
                    public void close() {}
                });
    }

    /**
     * A message up to the first byte that UTF-8 has nowhere, where reading must end. Jackson ends there too, but for one
     * place: it takes the field "valu?e", the ? being that byte, for the field "value", if it has seen that one before.
     */
    private static byte[] readable(byte[] message) {
        for (int i = 0; message != null && i < message.length; i++) {
            if (message[i] == NEVER) {
                return isUtf8(message) ? Arrays.copyOf(message, i) : message;
            }
        }
        return message;
    }

    /** Whether Jackson takes it for UTF-8: it is neither UTF-16 nor UTF-32 by its first bytes. */
    private static boolean isUtf8(byte[] message) {
        if (message.length < 2) {
            return true;
        }
        byte first = message[0];
        byte second = message[1];
        boolean marked = first == MARK && second == NEVER || first == NEVER && second == MARK;
        return first != 0 && second != 0 && !marked;
    }

    private RowData judged(RowData row) {
        GenericRowData judged = new GenericRowData(4);
        judged.setField(0, row.isNullAt(0) ? null : row.getString(0));
        judged.setField(1, row.isNullAt(1) ? null : row.getString(1));
        judged.setField(2, validity.isValid(row) ? (Object) (long) row.getDouble(2) : null);
        judged.setField(3, row.isNullAt(3) ? null : row.getDouble(3));
        return judged;
    }
}
