package iot;

import org.apache.flink.table.functions.ScalarFunction;

/**
 * What can be the name of a site: 1 to 64 ASCII letters, digits, dots, hyphens and underscores (the contract,
 * topics/reading.py). NULL is none.
 *
 * <p>It is a function of SQL too, which judges readings where Flink's own JSON decoder reads them (scripts/bench/sql/).
 */
public final class SiteName extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    private static final int LONGEST = 64;

    /** Never NULL, so that Flink need not ask. */
    public boolean eval(String text) {
        return isValid(text);
    }

    static boolean isValid(String text) {
        if (text == null || text.isEmpty() || text.length() > LONGEST) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if (!allowed(text.charAt(i))) {
                return false;
            }
        }
        return true;
    }

    private static boolean allowed(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_';
    }
}
