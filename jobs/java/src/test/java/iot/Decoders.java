package iot;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.catalog.CatalogTable;
import org.apache.flink.table.catalog.ObjectIdentifier;
import org.apache.flink.table.catalog.ResolvedCatalogTable;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.runtime.connector.source.ScanRuntimeProviderContext;
import org.apache.flink.table.types.DataType;
import org.apache.flink.util.Collector;
import org.apache.flink.util.SimpleUserCodeClassLoader;
import org.apache.flink.util.UserCodeClassLoader;

/** Decoders of readings as Flink makes them for a table, without a Kafka. */
final class Decoders {
    static final DataType COLUMNS = columns(DataTypes.FIELD("measured", DataTypes.BIGINT()));
    private static final DataType AS_WRITTEN = columns(DataTypes.FIELD("ts", DataTypes.DOUBLE()));

    /** Collects the rows that a message gives. */
    interface Decoder {
        void decode(byte[] message, Collector<RowData> out) throws Exception;
    }

    private Decoders() {}

    /** That of 'format' = 'reading', with these sensors and columns. */
    static DeserializationSchema<RowData> ofFormat(List<String> sensors, DataType columns) throws Exception {
        return opened(schema("reading", Map.of("sensors", String.join(";", sensors)), columns));
    }

    /** Flink's JSON decoder with the rules behind it, which is asked last of all by the one of the format. */
    static Decoder loose(List<String> sensors) throws Exception {
        DeserializationSchema<RowData> json = schema("json", Map.of("ignore-parse-errors", "true"), AS_WRITTEN);
        LooseDecoder loose = new LooseDecoder(json, new Validity(sensors));
        loose.open(new Context());
        return loose::decode;
    }

    static List<RowData> rows(Decoder decoder, byte[] message) throws Exception {
        List<RowData> rows = new ArrayList<>();
        decoder.decode(
                message,
                new Collector<>() {
                    @Override
                    public void collect(RowData row) {
                        rows.add(row);
                    }

                    @Override
                    public void close() {}
                });
        return rows;
    }

    private static DeserializationSchema<RowData> schema(String format, Map<String, String> options, DataType columns) {
        ClassLoader loader = Decoders.class.getClassLoader();
        DynamicTableFactory.Context table =
                new FactoryUtil.DefaultDynamicTableContext(
                        ObjectIdentifier.of("catalog", "database", "readings"),
                        new ResolvedCatalogTable(
                                CatalogTable.newBuilder().schema(Schema.newBuilder().build()).build(),
                                ResolvedSchema.of()),
                        Map.of(),
                        new Configuration(),
                        loader,
                        true);
        return FactoryUtil.discoverFactory(loader, DeserializationFormatFactory.class, format)
                .createDecodingFormat(table, Configuration.fromMap(options))
                .createRuntimeDecoder(ScanRuntimeProviderContext.INSTANCE, columns);
    }

    private static DeserializationSchema<RowData> opened(DeserializationSchema<RowData> schema) throws Exception {
        schema.open(new Context());
        return schema;
    }

    private static DataType columns(DataTypes.Field time) {
        return DataTypes.ROW(
                        DataTypes.FIELD("site", DataTypes.STRING()),
                        DataTypes.FIELD("sensor", DataTypes.STRING()),
                        time,
                        DataTypes.FIELD("value", DataTypes.DOUBLE()))
                .notNull();
    }

    private static final class Context implements DeserializationSchema.InitializationContext {
        @Override
        public MetricGroup getMetricGroup() {
            return new UnregisteredMetricsGroup();
        }

        @Override
        public UserCodeClassLoader getUserCodeClassLoader() {
            return SimpleUserCodeClassLoader.create(Decoders.class.getClassLoader());
        }
    }
}
