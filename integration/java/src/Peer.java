import com.google.protobuf.ListValue;
import com.google.protobuf.Value;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * What a test wants written and read by Java: Avro with the registry's own serializers, Protobuf with Protobuf's own
 * classes behind the bytes that name a schema.
 *
 *   produce-avro     brokers topic registry schema  orders 0 to 9
 *   consume-avro     brokers topic registry n       n records, as text
 *   produce-protobuf brokers topic id               lists 0 to 9
 *   consume-protobuf brokers topic n                n records, as text
 */
public final class Peer {
    public static void main(String[] args) throws Exception {
        String brokers = args[1];
        String topic = args[2];
        switch (args[0]) {
            case "produce-avro" -> {
                Schema schema = new Schema.Parser().parse(args[4]);
                try (var out = producer(brokers, new AvroKafkaSerializer<GenericRecord>(), registry(args[3]))) {
                    for (int i = 0; i < 10; i++) {
                        out.send(new ProducerRecord<>(topic, "o-" + i, order(schema, i))).get();
                    }
                }
            }
            case "consume-avro" ->
                consume(brokers, topic, Integer.parseInt(args[4]), new AvroKafkaDeserializer<GenericRecord>(), registry(args[3]));
            case "produce-protobuf" -> {
                byte[] frame = ByteBuffer.allocate(7).put((byte) 0).putInt(Integer.parseInt(args[3])).put((byte) 2).put((byte) 4).array();
                try (var out = producer(brokers, new ByteArraySerializer(), Map.of())) {
                    for (int i = 0; i < 10; i++) {
                        byte[] list = ListValue.newBuilder()
                            .addValues(Value.newBuilder().setStringValue("l-" + i)).addValues(Value.newBuilder().setNumberValue(i)).build().toByteArray();
                        out.send(new ProducerRecord<>(topic, "l-" + i, ByteBuffer.allocate(frame.length + list.length).put(frame).put(list).array())).get();
                    }
                }
            }
            case "consume-protobuf" -> consume(brokers, topic, Integer.parseInt(args[3]), new Lists(), Map.of());
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    /** Reads the lists that leat writes: the frame, the third message of its file, the message. */
    private static final class Lists implements Deserializer<String> {
        private final ByteArrayDeserializer bytes = new ByteArrayDeserializer();

        @Override
        public String deserialize(String topic, byte[] data) {
            try {
                ByteBuffer in = ByteBuffer.wrap(bytes.deserialize(topic, data));
                if (in.get() != 0 || in.getInt() <= 0 || in.get() != 2 || in.get() != 4) {
                    throw new IllegalStateException(HexFormat.of().formatHex(data));
                }
                return ListValue.parseFrom(in).getValuesList().stream()
                    .map(v -> v.hasStringValue() ? v.getStringValue() : Double.toString(v.getNumberValue())).toList().toString();
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private static GenericRecord order(Schema schema, int i) {
        Schema lines = schema.getField("lines").schema();
        GenericRecord line = new GenericData.Record(lines.getElementType());
        line.put("article", "a-" + i);
        line.put("quantity", 2);
        line.put("cents", 100L + i);
        GenericRecord order = new GenericData.Record(schema);
        order.put("id", "o-" + i);
        order.put("customer", "c-" + i % 3);
        order.put("placed", 1_700_000_000_000L + i);
        order.put("lines", new GenericData.Array<>(lines, List.of(line)));
        return order;
    }

    private static Map<String, Object> registry(String url) {
        return Map.of("apicurio.registry.url", url, "apicurio.registry.auto-register", true);
    }

    private static <V> KafkaProducer<String, V> producer(String brokers, Serializer<V> values, Map<String, Object> config) {
        values.configure(config, false);
        return new KafkaProducer<>(Map.of("bootstrap.servers", brokers), new StringSerializer(), values);
    }

    private static <V> void consume(String brokers, String topic, int n, Deserializer<V> values, Map<String, Object> config) {
        values.configure(config, false);
        Map<String, Object> all = new HashMap<>(config);
        all.putAll(Map.of("bootstrap.servers", brokers, "auto.offset.reset", "earliest", "isolation.level", "read_committed"));
        try (var in = new KafkaConsumer<>(all, new StringDeserializer(), values)) {
            in.assign(in.partitionsFor(topic).stream().map(p -> new TopicPartition(p.topic(), p.partition())).toList());
            for (long end = System.nanoTime() + Duration.ofMinutes(1).toNanos(); n > 0 && System.nanoTime() < end;) {
                for (ConsumerRecord<String, V> r : in.poll(Duration.ofMillis(200))) {
                    System.out.println(r.key() + " " + r.value());
                    n--;
                }
            }
        }
        if (n > 0) {
            throw new IllegalStateException(n + " records have not come");
        }
    }
}
