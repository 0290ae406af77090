package org.apache.kafka.streams.kstream.internals.foreignkeyjoin;

import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.kstream.internals.Change;
import org.apache.kafka.streams.kstream.internals.ChangedSerializer;
import org.apache.kafka.streams.state.internals.Buffers;
import org.apache.kafka.streams.state.internals.Murmur3;

/** Writes what Kafka Streams sends through its internal topics: kind, fields and bytes in hex, separated by tabs; null is "-". */
public class Golden {
  static final Serde<String> S = Serdes.String();
  static PrintWriter w;

  public static void main(String[] a) throws Exception {
    w = new PrintWriter(a[0], "UTF-8");
    String longer = "x".repeat(70), longest = "y".repeat(9000);
    for (String[] c : new String[][] {{null, "new"}, {"old", null}, {"old", "new"}, {"", "new"}, {"old", ""}, {"", ""}, {null, ""}, {"", null}, {longer, longer + "2"}, {"o", longest}})
      line("change", c[0], c[1], new ChangedSerializer<>(S.serializer()).serialize("t", new RecordHeaders(), new Change<>(c[1], c[0])));
    for (int n = 0; n <= 40; n++) {
      byte[] b = new byte[n];
      for (int i = 0; i < n; i++) b[i] = (byte) (i * 37 + 200);
      line("hash", HexFormat.of().formatHex(b), bytes(Murmur3.hash128(b)));
    }
    SubscriptionWrapperSerde<String> subscriptions = new SubscriptionWrapperSerde<>(() -> "pk", S);
    for (SubscriptionWrapper.Instruction in : SubscriptionWrapper.Instruction.values())
      for (String value : new String[] {"value", "", null})
        for (String key : new String[] {"key", ""})
          for (int partition : new int[] {0, 70000})
            line("subscription", "" + in.value(), value, key, "" + partition,
              subscriptions.serializer().serialize("t", new RecordHeaders(), new SubscriptionWrapper<>(hash(value), in, key, partition)));
    line("subscription", "2", "value", "key", null, // as an application from before 3.4 wrote it
      subscriptions.serializer().serialize("t", new RecordHeaders(), new SubscriptionWrapper<>(hash("value"), SubscriptionWrapper.Instruction.PROPAGATE_NULL_IF_NO_FK_VAL_AVAILABLE, "key", (byte) 0, null)));
    SubscriptionResponseWrapperSerde<String> responses = new SubscriptionResponseWrapperSerde<>(S);
    for (String value : new String[] {"value", null})
      for (String right : new String[] {"right", null})
        line("response", value, right, responses.serializer().serialize("t", new RecordHeaders(), new SubscriptionResponseWrapper<>(hash(value), right, 3)));
    CombinedKeySchema<String, String> keys = new CombinedKeySchema<>(() -> "fk", S, () -> "pk", S);
    for (String[] c : new String[][] {{"foreign", "left"}, {"", "left"}, {"foreign", ""}}) {
      line("key", c[0], c[1], keys.toBytes(c[0], c[1], new RecordHeaders()).get());
      line("prefix", c[0], keys.prefixBytes(c[0], new RecordHeaders()).get());
    }
    for (String headers : new String[] {null, "a=1", "a=1,b,a=2", "gr\u00fc\u00df=\ud83d\ude00"})
      for (String topic : new String[] {"in", "", "th\u00e9"})
        for (String[] v : new String[][] {{null, null, "new"}, {"old", "old", "new"}, {"prior", "old", "new"}, {null, "old", "new"}, {"prior", null, "new"}, {"prior", "old", null}, {"", "", ""}, {null, "", ""}})
          line("buffered", v[0], v[1], v[2], topic, headers, "" + (8 + 3 + Buffers.size(v[0], v[1], v[2], Buffers.context(topic, headers))),
            Buffers.value(v[0], v[1], v[2], 77, Buffers.context(topic, headers)));
    w.close();
  }

  static long[] hash(String value) {
    return value == null ? null : Murmur3.hash128(value.getBytes(StandardCharsets.UTF_8));
  }

  static byte[] bytes(long[] h) {
    return ByteBuffer.allocate(16).putLong(h[0]).putLong(h[1]).array();
  }

  static void line(Object... fields) {
    StringBuilder b = new StringBuilder();
    for (Object f : fields)
      b.append(b.length() == 0 ? "" : "\t").append(f == null ? "-" : f instanceof byte[] x ? HexFormat.of().formatHex(x) : f);
    w.println(b);
  }
}
