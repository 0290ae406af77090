import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.kstream.SessionWindowedSerializer;
import org.apache.kafka.streams.kstream.TimeWindowedSerializer;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.internals.SessionWindow;
import org.apache.kafka.streams.kstream.internals.TimeWindow;
import org.apache.kafka.streams.state.internals.SessionKeySchema;
import org.apache.kafka.streams.state.internals.WindowKeySchema;

/** Writes lines of kind, key, start, end and bytes in hex, separated by tabs. */
public class Golden {
  public static void main(String[] a) throws Exception {
    try (PrintWriter w = new PrintWriter(a[0], StandardCharsets.UTF_8)) {
      for (String key : new String[] {"", "a", "leat", "gr\u00fc\u00dfe"})
        for (long[] t : new long[][] {{0, 10}, {1, 1}, {1700000000123L, 1700000060123L}, {Long.MAX_VALUE - 5, Long.MAX_VALUE}}) {
          Bytes k = Bytes.wrap(key.getBytes(StandardCharsets.UTF_8));
          Windowed<String> session = new Windowed<>(key, new SessionWindow(t[0], t[1]));
          line(w, "session-store", key, t, SessionKeySchema.toBinary(k, t[0], t[1]).get());
          line(w, "session-topic", key, t, new SessionWindowedSerializer<>(new StringSerializer()).serialize("t", session));
          if (t[0] == t[1]) continue;
          Windowed<String> window = new Windowed<>(key, new TimeWindow(t[0], t[1]));
          line(w, "window-store", key, t, WindowKeySchema.toStoreKeyBinary(k, t[0], 0).get());
          line(w, "window-topic", key, t, new TimeWindowedSerializer<>(new StringSerializer()).serialize("t", window));
        }
    }
  }

  static void line(PrintWriter w, String kind, String key, long[] t, byte[] b) {
    w.println(kind + "\t" + key + "\t" + t[0] + "\t" + t[1] + "\t" + HexFormat.of().formatHex(b));
  }
}
