package org.apache.kafka.streams.state.internals;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.internals.ProcessorRecordContext;

/** What a suppression's buffer writes to its changelog. It lives here because BufferValue's constructor is not public. */
public class Buffers {
  public static byte[] value(String prior, String old, String now, long at, ProcessorRecordContext c) {
    ByteBuffer b = new BufferValue(bytes(prior), bytes(old), bytes(now), c).serialize(Long.BYTES);
    return b.putLong(at).array();
  }

  public static long size(String prior, String old, String now, ProcessorRecordContext c) {
    return new BufferValue(bytes(prior), bytes(old), bytes(now), c).residentMemorySizeEstimate();
  }

  public static ProcessorRecordContext context(String topic, String headers) {
    RecordHeaders h = new RecordHeaders();
    if (headers != null)
      for (String kv : headers.split(",")) {
        String[] p = kv.split("=");
        h.add(p[0], p.length > 1 ? bytes(p[1]) : null);
      }
    return new ProcessorRecordContext(1700000000123L, 42, 3, topic, h);
  }

  static byte[] bytes(String s) {
    return s == null ? null : s.getBytes(StandardCharsets.UTF_8);
  }
}
