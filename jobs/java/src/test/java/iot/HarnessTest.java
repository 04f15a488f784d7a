package iot;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.streaming.api.operators.KeyedProcessOperator;
import org.apache.flink.streaming.util.KeyedOneInputStreamOperatorTestHarness;
import org.apache.flink.util.Collector;
import org.junit.jupiter.api.Test;

/** Flink's harness drives an operator with keyed state and timers without a cluster, and goes on from a snapshot. */
class HarnessTest {
    @Test
    void stateAndTimersGoOnFromASnapshot() throws Exception {
        OperatorSubtaskState snapshot;
        try (var harness = harness()) {
            harness.open();
            send(harness, "a", 10);
            send(harness, "b", 20);
            send(harness, "a", 20);
            snapshot = harness.snapshot(1, 1);
            send(harness, "a", 30);
            assertEquals(List.of("a 10 new", "b 20 new", "a 20 new", "a 30 new"), harness.extractOutputValues());
        }
        try (var harness = harness()) {
            harness.initializeState(snapshot);
            harness.open();
            assertEquals(3, harness.numEventTimeTimers());
            harness.processWatermark(Marking.LATER + 10);
            send(harness, "a", 10);
            send(harness, "b", 10);
            send(harness, "b", 20);
            send(harness, "a", 30);
            assertEquals(
                    List.of("a 10 later", "a 10 known", "b 10 new", "b 20 known", "a 30 new"),
                    harness.extractOutputValues());
        }
    }

    private static void send(
            KeyedOneInputStreamOperatorTestHarness<String, Tuple2<String, Long>, String> harness, String key, long ts)
            throws Exception {
        harness.processElement(Tuple2.of(key, ts), ts);
    }

    private static KeyedOneInputStreamOperatorTestHarness<String, Tuple2<String, Long>, String> harness()
            throws Exception {
        return new KeyedOneInputStreamOperatorTestHarness<>(
                new KeyedProcessOperator<>(new Marking()), reading -> reading.f0, Types.STRING);
    }

    /** Says of each reading whether it is known, and again later that it has been there. */
    private static final class Marking extends KeyedProcessFunction<String, Tuple2<String, Long>, String> {
        private static final long serialVersionUID = 1L;
        private static final long LATER = 1_000;

        private transient ValueState<Seen> state;

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("seen", new SeenSerializer()));
        }

        @Override
        public void processElement(Tuple2<String, Long> reading, Context context, Collector<String> out)
                throws Exception {
            Seen seen = state.value() == null ? new Seen() : state.value();
            seen.take(reading.f1, Sensor.DAY, Sensor.MEMORY);
            state.update(seen);
            context.timerService().registerEventTimeTimer(reading.f1 + LATER);
            out.collect(reading.f0 + " " + reading.f1 + (seen.duplicate() ? " known" : " new"));
        }

        @Override
        public void onTimer(long time, OnTimerContext context, Collector<String> out) {
            out.collect(context.getCurrentKey() + " " + (time - LATER) + " later");
        }
    }
}
