package iot;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.annotation.FunctionHint;
import org.apache.flink.table.functions.AggregateFunction;

/**
 * SENSOR_CLOCK(measured, day_ms, memory_ms): the sensor's clock, the largest ts that it has sent so far, or NULL when this
 * reading is a duplicate: the sensor has sent one of this ts before.
 *
 * <p>It remembers a day until the sensor's own clock is memory_ms past the day's end, and judges no duplicates of older
 * days. That depends on the order of the sensor's readings alone, so that a replay finds the same ones. For use in an
 * OVER window by sensor, in the order of arrival, unbounded.
 */
@FunctionHint(
        input = {@DataTypeHint("BIGINT"), @DataTypeHint("BIGINT"), @DataTypeHint("BIGINT")},
        accumulator = @DataTypeHint(value = "RAW", bridgedTo = Seen.class, rawSerializer = SeenSerializer.class),
        output = @DataTypeHint("BIGINT"))
public final class SensorClock extends AggregateFunction<Long, Seen> {
    private static final long serialVersionUID = 1L;

    @Override
    public Seen createAccumulator() {
        return new Seen();
    }

    /** Takes a reading in: measured in epoch ms from 0 on, day_ms and memory_ms in ms. */
    public void accumulate(Seen seen, Long measured, Long dayMs, Long memoryMs) {
        seen.take(measured, dayMs, memoryMs);
    }

    /** Flink asks for it right after each reading. */
    @Override
    public Long getValue(Seen seen) {
        return seen.duplicate() ? null : seen.clock();
    }
}
