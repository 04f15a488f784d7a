package iot;

import java.io.Serializable;
import java.util.Collection;
import java.util.Set;
import org.apache.flink.table.data.RowData;

/**
 * What a valid reading is, apart from when it was received (the contract, topics/reading.py): all four fields are there, the
 * site's name is one, the sensor is known, ts is a whole number of milliseconds from 1970 to the year 9999, the value is
 * finite.
 */
final class Validity implements Serializable {
    private static final long serialVersionUID = 1L;

    /** The last millisecond of the year 9999. */
    static final long LATEST = 253_402_300_799_999L;

    private final Set<String> sensors;

    /** With these sensors known, which include the heartbeats' one. */
    Validity(Collection<String> sensors) {
        this.sensors = Set.copyOf(sensors);
    }

    boolean knows(String sensor) {
        return sensors.contains(sensor);
    }

    /** Of a row (site STRING, sensor STRING, ts DOUBLE, value DOUBLE). */
    boolean isValid(RowData row) {
        for (int field = 0; field < row.getArity(); field++) {
            if (row.isNullAt(field)) {
                return false;
            }
        }
        return isTime(row.getDouble(2))
                && Double.isFinite(row.getDouble(3))
                && knows(row.getString(1).toString())
                && SiteName.isValid(row.getString(0).toString());
    }

    private static boolean isTime(double ts) {
        return ts >= 0 && ts <= LATEST && ts == Math.floor(ts);
    }
}
