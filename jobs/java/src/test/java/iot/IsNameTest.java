package iot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullAndEmptySource;
import org.junit.jupiter.params.provider.ValueSource;

/** IS_NAME against the contract's pattern. */
class IsNameTest {
    private static final Pattern CONTRACT = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    private final IsName isName = new IsName();

    @ParameterizedTest
    @ValueSource(strings = {"home", "a", "0", "-", ".", "_", "Sensor-1.b_2"})
    void names(String text) {
        assertTrue(isName.eval(text));
    }

    @ParameterizedTest
    @NullAndEmptySource
    @ValueSource(strings = {" ", "home\n", "\nhome", "a b", "a/b", "a:b", "a{b}", "Küche", "a\0", "\uD83C\uDFE0"})
    void others(String text) {
        assertFalse(isName.eval(text));
    }

    @Test
    void the64thCharacterIsTheLast() {
        assertTrue(isName.eval("x".repeat(64)));
        assertFalse(isName.eval("x".repeat(65)));
    }

    @Test
    void everyCharacterAnywhere() {
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            String alone = String.valueOf((char) c);
            for (String text : new String[] {alone, alone + "b", "a" + alone}) {
                boolean wanted = CONTRACT.matcher(text).matches();
                assertEquals(wanted, isName.eval(text), () -> "character " + (int) alone.charAt(0));
            }
        }
    }

    @Test
    void anyText() {
        SplittableRandom random = new SplittableRandom(1);
        for (int round = 0; round < 10_000; round++) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(70); i > 0; i--) {
                text.append((char) (random.nextInt(40) == 0 ? random.nextInt(0x100) : random.nextInt('a', 'z' + 1)));
            }
            assertEquals(CONTRACT.matcher(text).matches(), isName.eval(text.toString()), text::toString);
        }
    }
}
