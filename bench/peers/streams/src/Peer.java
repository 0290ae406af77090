import java.time.Duration;
import java.util.Arrays;
import java.util.Properties;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;

/**
 * The jobs of this comparison as a user of Kafka Streams would write them.
 *
 *   Peer JOB IN TABLE OUT property=value...
 *
 * A JOB may be a query of NEXMark, whose topics have names of their own. What follows OUT are Kafka Streams' own settings; what is not said is at its default. It prints a line of JSON when the
 * restore of a store begins, and one when it has ended.
 */
public final class Peer {
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();
    private static final Serde<String> STRING = Serdes.String();
    private static final Serde<Long> LONG = Serdes.Long();

    public static void main(String[] args) throws Exception {
        Properties settings = new Properties();
        for (String pair : Arrays.copyOfRange(args, 4, args.length)) {
            int at = pair.indexOf('=');
            settings.put(pair.substring(0, at), pair.substring(at + 1));
        }
        StreamsBuilder builder = new StreamsBuilder();
        build(builder, args[0], args[1], args[2], args[3]);
        KafkaStreams streams = new KafkaStreams(builder.build(), settings);
        streams.setUncaughtExceptionHandler(e -> {
            e.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.setGlobalStateRestoreListener(new Restores());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(10))));
        streams.start();
        Thread.currentThread().join();
    }

    private static void build(StreamsBuilder builder, String job, String in, String table, String out) {
        switch (job) {
            case "copy" -> builder.stream(in, Consumed.with(BYTES, BYTES)).to(out, Produced.with(BYTES, BYTES));
            case "count" -> builder.stream(in, Consumed.with(STRING, BYTES)).groupByKey(Grouped.with(STRING, BYTES))
                .count(counts()).toStream().to(out, Produced.with(STRING, LONG));
            case "window" -> builder.stream(in, Consumed.with(STRING, BYTES)).groupByKey(Grouped.with(STRING, BYTES))
                .windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(10)))
                .count(Materialized.<String, Long, WindowStore<Bytes, byte[]>>as("counts").withKeySerde(STRING).withValueSerde(LONG))
                .toStream().to(out, Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, 10_000), LONG));
            case "repartition" -> builder.stream(in, Consumed.with(STRING, STRING))
                .groupBy((k, v) -> v.substring(0, 8), Grouped.with("by-value", STRING, STRING))
                .count(counts()).toStream().to(out, Produced.with(STRING, LONG));
            case "join" -> {
                KTable<String, String> rows = builder.table(table, Consumed.with(STRING, STRING),
                    Materialized.<String, String, KeyValueStore<Bytes, byte[]>>as("rows").withKeySerde(STRING).withValueSerde(STRING));
                KStream<String, String> stream = builder.stream(in, Consumed.with(STRING, STRING));
                stream.join(rows, (v, row) -> row + v.substring(row.length()), Joined.with(STRING, STRING, STRING)).to(out, Produced.with(STRING, STRING));
            }
            default -> Nexmark.build(builder, job);
        }
    }

    private static final class Restores implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition changelog, String store, long from, long to) {
            say("restore begins", changelog, 0);
        }

        @Override
        public void onBatchRestored(TopicPartition changelog, String store, long to, long records) {
        }

        @Override
        public void onRestoreEnd(TopicPartition changelog, String store, long records) {
            say("restored store", changelog, records);
        }

        private static void say(String what, TopicPartition changelog, long records) {
            System.out.printf("{\"msg\":\"%s\",\"partition\":%d,\"records\":%d,\"ms\":%d}%n", what, changelog.partition(), records, System.currentTimeMillis());
        }
    }

    private static Materialized<String, Long, KeyValueStore<Bytes, byte[]>> counts() {
        return Materialized.<String, Long, KeyValueStore<Bytes, byte[]>>as("counts").withKeySerde(STRING).withValueSerde(LONG);
    }
}
