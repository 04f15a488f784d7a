package iot;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.Predicate;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Valid names that come again and again: each is judged and made a string of once, and found by its bytes from then on.
 *
 * <p>Memory is bounded, and so is the time of a search, whatever the names are: where the few places that a name can
 * have are taken, it takes the first of them, and what was there is judged anew when it comes again.
 */
final class Names {
    private static final int PLACES = 8;

    private final Predicate<String> valid;
    private final Name[] table;

    /** At most {@code size} names are kept, a power of two. */
    Names(int size, Predicate<String> valid) {
        this.table = new Name[size];
        this.valid = valid;
    }

    /** The name that stands in these bytes, null when it is not valid. */
    BinaryStringData find(byte[] bytes, int from, int to) {
        int mask = table.length - 1;
        int home = hash(bytes, from, to);
        int free = home & mask;
        for (int place = 0; place < PLACES; place++) {
            int at = home + place & mask;
            if (table[at] == null) {
                free = at;
                break;
            }
            if (table[at].is(bytes, from, to)) {
                return table[at].text;
            }
        }
        // Bytes beyond ASCII become characters that no valid name has.
        if (!valid.test(new String(bytes, from, to - from, StandardCharsets.ISO_8859_1))) {
            return null;
        }
        table[free] = new Name(Arrays.copyOfRange(bytes, from, to));
        return table[free].text;
    }

    private static int hash(byte[] bytes, int from, int to) {
        int hash = 1;
        for (int i = from; i < to; i++) {
            hash = hash * 31 + bytes[i];
        }
        return hash ^ hash >>> 15;
    }

    private static final class Name {
        final byte[] bytes;
        final BinaryStringData text;

        Name(byte[] bytes) {
            this.bytes = bytes;
            this.text = BinaryStringData.fromBytes(bytes);
        }

        boolean is(byte[] other, int from, int to) {
            return Arrays.equals(bytes, 0, bytes.length, other, from, to);
        }
    }
}
