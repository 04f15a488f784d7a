package iot;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;

/**
 * How {@link Seen} stands in checkpoints and savepoints.
 *
 * <p>Flink goes on changing an object while it writes a checkpoint of it, and takes a {@link #copy} for that: it must share
 * nothing with the original.
 */
public final class SeenSerializer extends TypeSerializerSingleton<Seen> {
    private static final long serialVersionUID = 1L;

    /** Stands before each sensor's state. Who changes the format counts it up, and goes on reading the older ones. */
    private static final int FORMAT = 1;

    @Override
    public boolean isImmutableType() {
        return false;
    }

    @Override
    public Seen createInstance() {
        return new Seen();
    }

    @Override
    public Seen copy(Seen from) {
        return from.copy();
    }

    @Override
    public Seen copy(Seen from, Seen reuse) {
        return from.copy();
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Seen seen, DataOutputView target) throws IOException {
        target.writeByte(FORMAT);
        seen.write(target);
    }

    @Override
    public Seen deserialize(DataInputView source) throws IOException {
        int format = source.readByte();
        if (format != FORMAT) {
            throw new IOException("state of format " + format + ", and this job knows " + FORMAT + " at most");
        }
        return Seen.read(source);
    }

    @Override
    public Seen deserialize(Seen reuse, DataInputView source) throws IOException {
        return deserialize(source);
    }

    @Override
    public void copy(DataInputView source, DataOutputView target) throws IOException {
        serialize(deserialize(source), target);
    }

    @Override
    public TypeSerializerSnapshot<Seen> snapshotConfiguration() {
        return new Snapshot();
    }

    /** Which serializer has written a checkpoint. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Seen> {
        public Snapshot() {
            super(SeenSerializer::new);
        }
    }
}
