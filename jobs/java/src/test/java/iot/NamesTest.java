package iot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Names that are kept. */
class NamesTest {
    private final List<String> judged = new ArrayList<>();

    private Names names(int size) {
        return new Names(
                size,
                name -> {
                    judged.add(name);
                    return SiteName.isValid(name);
                });
    }

    private static String find(Names names, String text) {
        byte[] bytes = ("<" + text + ">").getBytes(StandardCharsets.UTF_8);
        Object found = names.find(bytes, 1, bytes.length - 1);
        return found == null ? null : found.toString();
    }

    @Test
    void aNameIsJudgedOnceAndKept() {
        Names names = names(16);
        byte[] message = "home,home,Home".getBytes(StandardCharsets.US_ASCII);
        Object first = names.find(message, 0, 4);
        assertEquals("home", first.toString());
        assertSame(first, names.find(message, 5, 9));
        assertEquals("Home", names.find(message, 10, 14).toString());
        assertEquals(List.of("home", "Home"), judged);
    }

    @Test
    void whatIsKeptDoesNotChangeWithTheBytesOfTheMessage() {
        Names names = names(16);
        byte[] message = "home".getBytes(StandardCharsets.US_ASCII);
        Object first = names.find(message, 0, 4);
        message[0] = 'd';
        assertEquals("home", first.toString());
        assertEquals("dome", names.find(message, 0, 4).toString());
        assertEquals("home", find(names, "home"));
    }

    @Test
    void whatIsNotValidIsNotKept() {
        Names names = names(16);
        for (int round = 0; round < 2; round++) {
            for (String text : List.of("", "a b", "é", "\u00c1\u00a8ome", "x".repeat(65))) {
                assertNull(find(names, text), text);
            }
        }
        assertEquals(10, judged.size());
    }

    @Test
    void moreNamesThanThereIsRoomForAreAllFound() {
        Names names = names(64);
        SplittableRandom random = new SplittableRandom(1);
        for (int round = 0; round < 20_000; round++) {
            String text = "site-" + random.nextInt(1000);
            assertEquals(text, find(names, text));
        }
        assertTrue(judged.size() > 1000, "some were forgotten");
        assertTrue(judged.size() < 20_000, "some were kept");
    }

    @Test
    void namesOfOneHashAreAllFound() {
        Names names = names(1024);
        List<String> texts = List.of("");
        for (int pair = 0; pair < 6; pair++) { // Aa and BB have the same hash, and so have what they are parts of
            List<String> longer = new ArrayList<>();
            texts.forEach(text -> longer.addAll(List.of(text + "Aa", text + "BB")));
            texts = longer;
        }
        for (int round = 0; round < 3; round++) {
            for (String text : texts) {
                assertEquals(text, find(names, text));
            }
        }
        assertNotNull(find(names, "other"));
        assertEquals("other", judged.get(judged.size() - 1));
        int before = judged.size();
        find(names, "other");
        assertEquals(before, judged.size(), "others are kept");
    }
}
