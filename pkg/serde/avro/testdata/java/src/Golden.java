import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.LocalTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.UUID;
import org.apache.avro.Conversion;
import org.apache.avro.Conversions;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.data.TimeConversions;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.Encoder;
import org.apache.avro.io.EncoderFactory;

/** Writes golden data: see README.md. */
public final class Golden {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<String> SCHEMAS = new LinkedHashSet<>();

    public static void main(String[] args) throws IOException {
        try (PrintStream out = open("../resolution.jsonl")) {
            for (String line : Files.readAllLines(Path.of("cases.jsonl"))) {
                if (line.isBlank() || line.startsWith("#")) {
                    continue;
                }
                JsonNode c = JSON.readTree(line);
                Schema writer = parse(c.get("writer"));
                Object value = new GenericDatumReader<>(writer)
                    .read(null, DecoderFactory.get().jsonDecoder(writer, c.get("value").toString()));
                out.println(resolve(c.get("name").textValue(), c.get("writer"), c.get("reader"), value));
            }
            canonical();
            for (int seed = 0; seed < 400; seed++) {
                Pairs pairs = new Pairs(new Random(seed));
                JsonNode writer = pairs.schema(3);
                JsonNode reader = pairs.evolve(writer);
                out.println(resolve("random " + seed, writer, reader, pairs.value(parse(writer))));
            }
        }
        try (PrintStream out = open("../logical.jsonl")) {
            logical(out);
        }
    }

    private static void canonical() throws IOException {
        try (PrintStream out = open("../canonical.jsonl")) {
            for (String text : SCHEMAS) {
                ObjectNode line = JSON.createObjectNode();
                Schema s = new Schema.Parser().parse(text);
                line.put("schema", text).put("canonical", SchemaNormalization.toParsingForm(s));
                line.put("fingerprint", "%016x".formatted(SchemaNormalization.parsingFingerprint64(s)));
                out.println(line);
            }
        }
    }

    private static PrintStream open(String name) throws IOException {
        return new PrintStream(name, StandardCharsets.UTF_8);
    }

    static Schema parse(JsonNode schema) {
        SCHEMAS.add(schema.toString());
        return new Schema.Parser().parse(schema.toString());
    }

    private static ObjectNode resolve(String name, JsonNode w, JsonNode r, Object value) throws IOException {
        ObjectNode line = JSON.createObjectNode();
        line.put("name", name);
        line.set("writer", w);
        line.set("reader", r);
        Schema writer = parse(w);
        byte[] bytes = write(writer, value, GenericData.get());
        line.put("bytes", hex(bytes));
        Schema reader;
        try {
            reader = parse(r);
        } catch (RuntimeException e) {
            return line.put("invalid", String.valueOf(e.getMessage()));
        }
        line.put("compatible", SchemaCompatibility.checkReaderWriterCompatibility(reader, writer).getType()
            == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE);
        try {
            BinaryDecoder in = DecoderFactory.get().binaryDecoder(bytes, null);
            Object read = new GenericDatumReader<>(writer, reader).read(null, in);
            if (!in.isEnd()) {
                throw new IllegalStateException("bytes are left over");
            }
            line.put("read", hex(write(reader, read, GenericData.get())));
        } catch (IOException | RuntimeException e) {
            line.put("error", String.valueOf(e.getMessage()));
        }
        return line;
    }

    /** Writes maps in the order of their keys. */
    private static byte[] write(Schema schema, Object value, GenericData data) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Encoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
        new GenericDatumWriter<Object>(schema, data) {
            @Override
            protected Iterable<Map.Entry<Object, Object>> getMapEntries(Object map) {
                List<Map.Entry<Object, Object>> entries = new ArrayList<>();
                super.getMapEntries(map).forEach(entries::add);
                entries.sort((a, b) -> a.getKey().toString().compareTo(b.getKey().toString()));
                return entries;
            }
        }.write(value, encoder);
        encoder.flush();
        return out.toByteArray();
    }

    private static void logical(PrintStream out) throws IOException {
        Conversions.DecimalConversion decimal = new Conversions.DecimalConversion();
        for (String type : List.of("\"bytes\"", "\"fixed\",\"name\":\"F\",\"size\":6")) {
            for (String v : List.of("0.00", "0.01", "-0.01", "1.27", "1.28", "-1.28", "-1.29", "2.55", "2.56", "327.67", "-327.68",
                "99999999.99", "-99999999.99")) {
                logical(out, decimal, type + ",\"logicalType\":\"decimal\",\"precision\":10,\"scale\":2", v, new BigDecimal(v));
            }
        }
        for (String v : List.of("1970-01-01", "1969-12-31", "2026-11-21", "0001-01-01", "9999-12-31")) {
            logical(out, new TimeConversions.DateConversion(), "\"int\",\"logicalType\":\"date\"", v, LocalDate.parse(v));
        }
        for (String v : List.of("00:00:00", "12:34:56.789", "23:59:59.999")) {
            logical(out, new TimeConversions.TimeMillisConversion(), "\"int\",\"logicalType\":\"time-millis\"", v, LocalTime.parse(v));
            logical(out, new TimeConversions.TimeMicrosConversion(), "\"long\",\"logicalType\":\"time-micros\"", v, LocalTime.parse(v));
        }
        for (String v : List.of("1970-01-01T00:00:00", "1969-12-31T23:59:59.999", "2026-11-21T10:11:12.123456789", "1900-02-28T01:02:03.000000001",
            "2262-01-01T00:00:00.999999999")) {
            Instant i = Instant.parse(v + "Z");
            LocalDateTime l = LocalDateTime.parse(v);
            logical(out, new TimeConversions.TimestampMillisConversion(), "\"long\",\"logicalType\":\"timestamp-millis\"", v, i);
            logical(out, new TimeConversions.TimestampMicrosConversion(), "\"long\",\"logicalType\":\"timestamp-micros\"", v, i);
            logical(out, new TimeConversions.TimestampNanosConversion(), "\"long\",\"logicalType\":\"timestamp-nanos\"", v, i);
            logical(out, new TimeConversions.LocalTimestampMillisConversion(), "\"long\",\"logicalType\":\"local-timestamp-millis\"", v, l);
            logical(out, new TimeConversions.LocalTimestampMicrosConversion(), "\"long\",\"logicalType\":\"local-timestamp-micros\"", v, l);
            logical(out, new TimeConversions.LocalTimestampNanosConversion(), "\"long\",\"logicalType\":\"local-timestamp-nanos\"", v, l);
        }
        for (String v : List.of("00000000-0000-0000-0000-000000000000", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6")) {
            logical(out, new Conversions.UUIDConversion(), "\"string\",\"logicalType\":\"uuid\"", v, UUID.fromString(v));
            logical(out, new Conversions.UUIDConversion(), "\"fixed\",\"name\":\"F\",\"size\":16,\"logicalType\":\"uuid\"", v, UUID.fromString(v));
        }
        byte[] duration = {1, 0, 0, 0, 2, 1, 0, 0, (byte) 255, (byte) 255, (byte) 255, (byte) 255};
        Schema fixed = new Schema.Parser().parse("{\"type\":\"fixed\",\"name\":\"F\",\"size\":12,\"logicalType\":\"duration\"}");
        print(out, fixed, "1 258 4294967295", write(fixed, new GenericData.Fixed(fixed, duration), GenericData.get()));
    }

    private static void logical(PrintStream out, Conversion<?> c, String type, String text, Object v) throws IOException {
        Schema schema = new Schema.Parser().parse("{\"type\":" + type + "}");
        GenericData data = new GenericData();
        data.addLogicalTypeConversion(c);
        byte[] bytes = write(schema, v, data);
        Object back = new GenericDatumReader<>(schema, schema, data).read(null, DecoderFactory.get().binaryDecoder(bytes, null));
        print(out, schema, back.toString(), bytes);
    }

    private static void print(PrintStream out, Schema schema, String text, byte[] bytes) throws IOException {
        ObjectNode line = JSON.createObjectNode();
        line.set("schema", JSON.readTree(schema.toString()));
        out.println(line.put("text", text).put("bytes", hex(bytes)));
    }

    private static String hex(byte[] b) {
        return HexFormat.of().formatHex(b);
    }
}
