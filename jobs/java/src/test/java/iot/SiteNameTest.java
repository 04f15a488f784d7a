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

/** A site.s name against the contract's pattern. */
class SiteNameTest {
    private static final Pattern CONTRACT = Pattern.compile("[A-Za-z0-9._-]{1,64}");

    @ParameterizedTest
    @ValueSource(strings = {"home", "a", "0", "-", ".", "_", "Sensor-1.b_2"})
    void names(String text) {
        assertTrue(SiteName.isValid(text));
    }

    @ParameterizedTest
    @NullAndEmptySource
    @ValueSource(strings = {" ", "home\n", "\nhome", "a b", "a/b", "a:b", "a{b}", "Küche", "a\0", "\uD83C\uDFE0"})
    void others(String text) {
        assertFalse(SiteName.isValid(text));
    }

    @Test
    void the64thCharacterIsTheLast() {
        assertTrue(SiteName.isValid("x".repeat(64)));
        assertFalse(SiteName.isValid("x".repeat(65)));
    }

    @Test
    void everyCharacterAnywhere() {
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            String alone = String.valueOf((char) c);
            for (String text : new String[] {alone, alone + "b", "a" + alone}) {
                boolean wanted = CONTRACT.matcher(text).matches();
                assertEquals(wanted, SiteName.isValid(text), () -> "character " + (int) alone.charAt(0));
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
            assertEquals(CONTRACT.matcher(text).matches(), SiteName.isValid(text.toString()), text::toString);
        }
    }
}
