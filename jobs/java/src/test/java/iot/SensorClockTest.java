package iot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import org.junit.jupiter.api.Test;

/** SENSOR_CLOCK, as an OVER window calls it. */
class SensorClockTest {
    private final SensorClock function = new SensorClock();
    private final Seen seen = function.createAccumulator();

    @Test
    void theNewestTsOrNullForADuplicate() {
        assertEquals(0, after(0));
        assertEquals(1_000, after(1_000));
        assertEquals(1_000, after(500));
        assertNull(after(500));
        assertNull(after(1_000));
        assertEquals(2_000, after(2_000));
        assertNull(after(0));
    }

    @Test
    void eachSensorHasAClockOfItsOwn() {
        assertEquals(1_000, after(1_000));
        Seen other = function.createAccumulator();
        function.accumulate(other, 7L, Sensor.DAY, Sensor.MEMORY);
        assertEquals(7, function.getValue(other));
        assertEquals(1_000, function.getValue(seen));
    }

    private Long after(long ts) {
        function.accumulate(seen, ts, Sensor.DAY, Sensor.MEMORY);
        return function.getValue(seen);
    }
}
