import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.test.TestRecord;

/** Writes what Kafka Streams puts into the changelogs of joins and of versioned tables, record by record. */
public class Golden {
  static final Serde<String> S = Serdes.String();
  static PrintWriter out;

  public static void main(String[] a) throws Exception {
    out = new PrintWriter(a[0], "UTF-8");
    out.println("# in: topic, key, value, time, value of the header h; then what is logged: topic, key, value, time; hex, - is null");
    run("inner", b -> left(b).join(right(b), (x, y) -> x + y, windows(), joined()).to("out", Produced.with(S, S)));
    run("left", b -> left(b).leftJoin(right(b), (x, y) -> x + y, windows(), joined()).to("out", Produced.with(S, S)));
    run("outer", b -> left(b).outerJoin(right(b), (x, y) -> x + y, windows(), joined()).to("out", Produced.with(S, S)));
    run("versioned", b -> left(b).join(table(b), (x, y) -> x + y).to("out", Produced.with(S, S)));
    run("grace", b -> left(b).join(table(b), (x, y) -> x + y, Joined.<String, String, String>with(S, S, S, "j", Duration.ofMillis(300))).to("out", Produced.with(S, S)));
    out.close();
  }

  static KStream<String, String> left(StreamsBuilder b) { return b.stream("left", Consumed.with(S, S)); }
  static KStream<String, String> right(StreamsBuilder b) { return b.stream("right", Consumed.with(S, S)); }
  static KTable<String, String> table(StreamsBuilder b) {
    return b.table("right", Consumed.with(S, S), Materialized.<String, String>as(Stores.persistentVersionedKeyValueStore("v", Duration.ofMillis(1000))).withKeySerde(S).withValueSerde(S));
  }
  static JoinWindows windows() { return JoinWindows.ofTimeDifferenceAndGrace(Duration.ofMillis(400), Duration.ofMillis(200)).after(Duration.ofMillis(100)); }
  static StreamJoined<String, String, String> joined() { return StreamJoined.with(S, S, S).withStoreName("j").withName("j"); }

  static void run(String name, Consumer<StreamsBuilder> topology) throws Exception {
    Properties p = new Properties();
    p.put("application.id", "test");
    p.put("bootstrap.servers", "x:1");
    p.put("statestore.cache.max.bytes", "0");
    p.put("__emit.interval.ms.kstreams.outer.join.spurious.results.fix__", 0L);
    p.put("state.dir", Files.createTempDirectory("golden").toString());
    StreamsBuilder b = new StreamsBuilder();
    topology.accept(b);
    Random r = new Random(name.hashCode());
    long now = 1000;
    try (TopologyTestDriver d = new TopologyTestDriver(b.build(), p, Instant.ofEpochMilli(0))) {
      out.println("scenario " + name);
      Map<String, Object> in = new TreeMap<>();
      for (int i = 0; i < 80; i++) {
        now += r.nextInt(120);
        String topic = r.nextBoolean() ? "left" : "right";
        String key = r.nextInt(15) == 0 ? "" : "k" + r.nextInt(3), value = topic.charAt(0) + "" + i;
        if (topic.equals("right") && name.matches("versioned|grace") && r.nextInt(5) == 0) value = null;
        if (r.nextInt(20) == 0) value = value == null ? null : "";
        long at = r.nextInt(3) == 0 ? now - r.nextInt(700) : now;
        Headers h = new RecordHeaders();
        if (r.nextInt(4) == 0) h.add("h", r.nextBoolean() ? null : ("x" + i).getBytes(StandardCharsets.UTF_8));
        int n = r.nextInt(6) == 0 ? 2 : 1; // twice: one key and one time
        for (int j = 0; j < n; j++) {
          out.println("in " + topic + " " + hex(key) + " " + hex(value) + " " + at + (h.toArray().length > 0 ? " " + hex(h.lastHeader("h").value()) : ""));
          d.createInputTopic(topic, new StringSerializer(), new StringSerializer()).pipeInput(new TestRecord<>(key, value, h, at));
          logged(d);
        }
      }
    }
  }

  static void logged(TopologyTestDriver d) {
    for (String topic : new java.util.TreeSet<>(d.producedTopicNames())) {
      if (!topic.endsWith("-changelog")) continue;
      for (TestRecord<byte[], byte[]> t : d.createOutputTopic(topic, new ByteArrayDeserializer(), new ByteArrayDeserializer()).readRecordsToList())
        out.println("log " + topic + " " + hex(t.key()) + " " + hex(t.value()) + " " + (t.timestamp() == null ? "-" : t.timestamp()));
    }
  }

  static String hex(String s) { return s == null ? "-" : hex(s.getBytes(StandardCharsets.UTF_8)); }
  static String hex(byte[] b) { return b == null ? "-" : "x" + HexFormat.of().formatHex(b); }
}
