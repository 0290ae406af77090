import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.streams.processor.internals.ProcessorMetadata;
import org.apache.kafka.streams.processor.internals.TopicPartitionMetadata;

/** Writes what Kafka Streams commits beside an offset: partition time, names and times, then the metadata string. */
public class Golden {
  public static void main(String[] a) throws Exception {
    try (PrintWriter w = new PrintWriter(a[0], "UTF-8")) {
      line(w, -1, Map.of());
      line(w, 0, Map.of());
      line(w, 1700000000000L, Map.of());
      line(w, 1700000000000L, Map.of("counts", 1699999990000L));
      Map<String, Long> two = new LinkedHashMap<>();
      two.put("alerts#0", 5L);
      two.put("windows", -1L);
      line(w, 42, two);
    }
  }

  static void line(PrintWriter w, long time, Map<String, Long> times) {
    StringBuilder names = new StringBuilder();
    times.forEach((k, v) -> names.append(names.length() > 0 ? "," : "").append(k).append('=').append(v));
    w.println(time + "\t" + names + "\t" + new TopicPartitionMetadata(time, new ProcessorMetadata(new LinkedHashMap<>(times))).encode());
  }
}
