package iot;

import java.util.List;
import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
import org.apache.flink.table.factories.FactoryUtil;
import org.apache.flink.table.types.DataType;

/**
 * 'format' = 'reading': the readings of dailyAggr, decoded and judged ({@link ReadingDecoder}).
 *
 * <p>'reading.sensors' are the sensors that are known, the heartbeats' one among them, with semicolons in between. The
 * table's physical columns are site STRING, sensor STRING, measured BIGINT, value DOUBLE.
 */
public final class ReadingFormatFactory implements DeserializationFormatFactory {
    static final ConfigOption<List<String>> SENSORS =
            ConfigOptions.key("sensors")
                    .stringType()
                    .asList()
                    .noDefaultValue()
                    .withDescription("Sensors that are known; a reading of another one is not valid.");

    private static final DataType COLUMNS =
            DataTypes.ROW(
                    DataTypes.FIELD("site", DataTypes.STRING()),
                    DataTypes.FIELD("sensor", DataTypes.STRING()),
                    DataTypes.FIELD("measured", DataTypes.BIGINT()),
                    DataTypes.FIELD("value", DataTypes.DOUBLE()));

    private static final DataType AS_WRITTEN =
            DataTypes.ROW(
                    DataTypes.FIELD("site", DataTypes.STRING()),
                    DataTypes.FIELD("sensor", DataTypes.STRING()),
                    DataTypes.FIELD("ts", DataTypes.DOUBLE()),
                    DataTypes.FIELD("value", DataTypes.DOUBLE()));

    /** Found in META-INF/services. */
    @Override
    public String factoryIdentifier() {
        return "reading";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(SENSORS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of();
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        FactoryUtil.validateFactoryOptions(this, options);
        Configuration lax = new Configuration();
        lax.setString("ignore-parse-errors", "true");
        return new Format(
                FactoryUtil.discoverFactory(context.getClassLoader(), DeserializationFormatFactory.class, "json")
                        .createDecodingFormat(context, lax),
                new Validity(options.get(SENSORS)));
    }

    private static final class Format implements DecodingFormat<DeserializationSchema<RowData>> {
        private final DecodingFormat<DeserializationSchema<RowData>> json;
        private final Validity validity;

        Format(DecodingFormat<DeserializationSchema<RowData>> json, Validity validity) {
            this.json = json;
            this.validity = validity;
        }

        @Override
        public DeserializationSchema<RowData> createRuntimeDecoder(DynamicTableSource.Context context, DataType columns) {
            if (!columns.getLogicalType().copy(true).equals(COLUMNS.getLogicalType())) {
                throw new ValidationException(
                        "the format 'reading' wants the columns " + COLUMNS + ", and the table has " + columns);
            }
            LooseDecoder loose = new LooseDecoder(json.createRuntimeDecoder(context, AS_WRITTEN.notNull()), validity);
            return new ReadingDecoder(validity, loose, context.createTypeInformation(columns));
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }
    }
}
