package iot;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Reads a valid reading in one pass over its bytes, when they are as the contract's writer writes them
 * (topics/encoding.py). It knows no other form, and no invalid reading: those are left to a decoder that takes its time.
 */
final class ExactParser {
    private static final byte[] BEFORE_SITE = ascii("{\"site\":\"");
    private static final byte[] BEFORE_SENSOR = ascii("\",\"sensor\":\"");
    private static final byte[] BEFORE_TS = ascii("\",\"ts\":");
    private static final byte[] BEFORE_VALUE = ascii(",\"value\":");

    /** More sites than this in one task, and some of them are judged again and again. */
    private static final int SITES = 1 << 18;

    private static final int SENSORS = 1 << 12;

    /** More digits could leave the range of a long. */
    private static final int MOST_DIGITS = 18;

    /** Whole numbers up to here are doubles. */
    private static final long EXACT = 1L << 53;

    /** Powers of ten; each of them is a double. */
    private static final double[] POWERS = new double[MOST_DIGITS + 1];

    static {
        POWERS[0] = 1;
        for (int i = 1; i < POWERS.length; i++) {
            POWERS[i] = POWERS[i - 1] * 10;
        }
    }

    private static final long NO_TS = -1;

    private final Names sites;
    private final Names sensors;

    private byte[] bytes;
    private int at;
    private long number;

    ExactParser(Validity validity) {
        sites = new Names(SITES, SiteName::isValid);
        sensors = new Names(SENSORS, validity::knows);
    }

    /** A row (site STRING, sensor STRING, measured BIGINT, value DOUBLE), null for bytes of any other form. */
    RowData parse(byte[] message) {
        bytes = message;
        at = 0;
        BinaryStringData site = skip(BEFORE_SITE) ? name(sites) : null;
        BinaryStringData sensor = site != null && skip(BEFORE_SENSOR) ? name(sensors) : null;
        long ts = sensor != null && skip(BEFORE_TS) ? ts() : NO_TS;
        double value = ts != NO_TS && skip(BEFORE_VALUE) ? value() : Double.NaN;
        if (Double.isNaN(value) || !skip('}') || at != bytes.length) {
            return null;
        }
        GenericRowData row = new GenericRowData(4);
        row.setField(0, site);
        row.setField(1, sensor);
        row.setField(2, ts);
        row.setField(3, value);
        return row;
    }

    private BinaryStringData name(Names known) {
        int from = at;
        while (at < bytes.length && bytes[at] != '"') {
            at++;
        }
        return known.find(bytes, from, at);
    }

    private long ts() {
        int from = at;
        int count = digits(0);
        boolean exact = count > 0 && count <= MOST_DIGITS && bytes[from] != '0' && number <= Validity.LATEST;
        return exact ? number : NO_TS;
    }

    /**
     * A number without an exponent, NaN for what may not be exact. Digits and power of ten are exact as doubles, so that
     * their quotient, rounded once, is the double that is nearest to the decimal number: as Java reads it.
     */
    private double value() {
        boolean minus = skip('-');
        int from = at;
        int whole = digits(0);
        boolean point = skip('.');
        int decimals = point ? digits(number) : 0;
        if (whole == 0
                || whole > 1 && bytes[from] == '0'
                || point && decimals == 0
                || whole + decimals > MOST_DIGITS
                || number > EXACT) {
            return Double.NaN;
        }
        double value = number / POWERS[decimals];
        return minus ? -value : value;
    }

    /** Reads digits behind those of {@code before} into {@code number}, and says how many there are. */
    private int digits(long before) {
        int from = at;
        number = before;
        while (at < bytes.length && bytes[at] >= '0' && bytes[at] <= '9') {
            number = number * 10 + (bytes[at] - '0');
            at++;
        }
        return at - from;
    }

    private boolean skip(char next) {
        if (at == bytes.length || bytes[at] != next) {
            return false;
        }
        at++;
        return true;
    }

    private boolean skip(byte[] next) {
        int end = at + next.length;
        if (end > bytes.length || !Arrays.equals(bytes, at, end, next, 0, next.length)) {
            return false;
        }
        at = end;
        return true;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
