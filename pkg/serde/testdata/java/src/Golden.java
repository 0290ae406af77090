import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;

/** Writes one line per value: the Go type, the value as text, its bytes in hex ("-" if none). */
public final class Golden {
    private static PrintStream out;

    public static void main(String[] args) throws IOException {
        out = new PrintStream(args[0], StandardCharsets.US_ASCII);
        out.println("# Written by testdata/java with the serdes of kafka-clients 4.3.1.");
        print("bool", Serdes.Boolean(), Object::toString, false, true);
        print("int16", Serdes.Short(), Object::toString,
            (short) 0, (short) 1, (short) -1, (short) 256, Short.MIN_VALUE, Short.MAX_VALUE);
        print("int32", Serdes.Integer(), Object::toString,
            0, 1, -1, 65536, 305419896, Integer.MIN_VALUE, Integer.MAX_VALUE);
        print("int64", Serdes.Long(), Object::toString,
            0L, 1L, -1L, 1L << 32, 1700000000123L, Long.MIN_VALUE, Long.MAX_VALUE);
        print("float32", Serdes.Float(), Object::toString,
            0f, -0f, 1f, -1.5f, 0.1f, Float.MIN_VALUE, Float.MAX_VALUE, Float.NaN,
            Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY);
        print("float64", Serdes.Double(), Object::toString,
            0d, -0d, 1d, -1.5d, 0.1d, Math.PI, Double.MIN_VALUE, Double.MAX_VALUE, Double.NaN,
            Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY);
        print("string", Serdes.String(), Golden::quote,
            "", "a", "leat", "a b\tc\n", "\u0000", "gr\u00fc\u00dfe", "\u6c34\u8eca", "\ud83d\ude00", "\uffff");
        print("bytes", Serdes.ByteArray(), Golden::hex,
            new byte[0], new byte[] {0}, new byte[] {1, 2, 3}, new byte[] {-1, -128, 127, 0});
        print("bytes", Serdes.Bytes(), b -> hex(b.get()),
            Bytes.wrap(new byte[0]), Bytes.wrap(new byte[] {0, -1}));
        print("uuid", Serdes.UUID(), UUID::toString,
            new UUID(0, 0), new UUID(-1, -1), UUID.fromString("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
        list("int16", Serdes.Short(), Object::toString, (short) 1, null, Short.MIN_VALUE);
        list("int32", Serdes.Integer(), Object::toString, 1, -1, null, 7, null);
        list("int64", Serdes.Long(), Object::toString, null, Long.MAX_VALUE, 0L);
        list("float64", Serdes.Double(), Object::toString, 1.5d, null, -0d);
        list("uuid", Serdes.UUID(), u -> '"' + u.toString() + '"', new UUID(-1, -1), null, new UUID(0, 0));
        list("bool", Serdes.Boolean(), Object::toString, true, null, false);
        list("string", Serdes.String(), Golden::quote, "a", "", null, "gr\u00fc\u00dfe");
        out.close();
    }

    /** Writes lists of the values: none, the first, those that are not null, all. */
    @SafeVarargs
    private static <T> void list(String type, Serde<T> inner, Function<T, String> text, T... values) {
        Function<List<T>, String> print = l -> l.stream().map(v -> v == null ? "null" : text.apply(v))
            .collect(Collectors.joining(",", "[", "]"));
        List<T> all = Arrays.asList(values);
        List<T> present = all.stream().filter(Objects::nonNull).toList();
        print("list:" + type, Serdes.ListSerde(ArrayList.class, inner), print, List.of(), all.subList(0, 1), present, all);
    }

    @SafeVarargs
    private static <T> void print(String type, Serde<T> serde, Function<T, String> text, T... values) {
        for (T v : values) {
            byte[] b = serde.serializer().serialize("topic", v);
            T back = serde.deserializer().deserialize("topic", b);
            if (!(v instanceof byte[] x ? Arrays.equals(x, (byte[]) back) : Objects.equals(v, back))) {
                throw new IllegalStateException(type + " " + text.apply(v) + " does not survive");
            }
            out.println(type + " " + text.apply(v) + " " + hex(b));
        }
    }

    private static String hex(byte[] b) {
        return b.length == 0 ? "-" : HexFormat.of().formatHex(b);
    }

    /** Writes s as a JSON string of ASCII without spaces. */
    private static String quote(String s) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : s.toCharArray()) {
            if (c > ' ' && c < 0x7f && c != '"' && c != '\\') {
                out.append(c);
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        return out.append('"').toString();
    }
}
