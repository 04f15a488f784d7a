package iot;

import java.io.IOException;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.data.RowData;
import org.apache.flink.util.Collector;

/**
 * Decodes the value of a record of dailyAggr to rows (site STRING, sensor STRING, measured BIGINT, value DOUBLE), one for
 * each reading that it holds. measured is the reading's ts in epoch ms, and NULL for what is no valid reading, whenever
 * it was received.
 */
final class ReadingDecoder implements DeserializationSchema<RowData> {
    private static final long serialVersionUID = 1L;

    private final Validity validity;
    private final LooseDecoder loose;
    private final TypeInformation<RowData> type;

    private transient ExactParser exact;

    ReadingDecoder(Validity validity, LooseDecoder loose, TypeInformation<RowData> type) {
        this.validity = validity;
        this.loose = loose;
        this.type = type;
    }

    @Override
    public void open(InitializationContext context) throws Exception {
        loose.open(context);
        exact = new ExactParser(validity);
    }

    @Override
    public void deserialize(byte[] message, Collector<RowData> out) throws IOException {
        RowData row = message == null ? null : exact.parse(message);
        if (row == null) {
            loose.decode(message, out);
        } else {
            out.collect(row);
        }
    }

    @Override
    public RowData deserialize(byte[] message) {
        throw new UnsupportedOperationException("a record can hold several readings: they are collected");
    }

    @Override
    public boolean isEndOfStream(RowData row) {
        return false;
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return type;
    }
}
