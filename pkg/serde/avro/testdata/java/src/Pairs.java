import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;

/** Makes random schemas, what they may have become after a while, and values. */
final class Pairs {
    private static final String[] PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};
    private final Random random;
    private int names;

    Pairs(Random random) {
        this.random = random;
    }

    private boolean oneIn(int n) {
        return random.nextInt(n) == 0;
    }

    private ObjectNode object(String type) {
        return Golden.JSON.createObjectNode().put("type", type);
    }

    JsonNode schema(int depth) {
        switch (depth == 0 ? random.nextInt(4) : 3 + random.nextInt(10)) {
        case 0, 1, 2, 3:
            return new TextNode(PRIMITIVES[1 + random.nextInt(PRIMITIVES.length - 1)]);
        case 4:
            return object("fixed").put("name", "F" + names++).put("size", 1 + random.nextInt(4));
        case 5:
            ObjectNode e = object("enum").put("name", "E" + names++);
            e.putArray("symbols").add("A").add("B").add("C");
            return e;
        case 6:
            return object("array").set("items", schema(depth - 1));
        case 7:
            return object("map").set("values", schema(depth - 1));
        case 8:
            return union(depth);
        default:
            return record(depth);
        }
    }

    private JsonNode union(int depth) {
        ArrayNode u = Golden.JSON.createArrayNode();
        List<String> labels = new ArrayList<>();
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
            JsonNode b = oneIn(3) ? new TextNode("null") : schema(depth - 1);
            String label = b.isObject() ? b.path("name").asText(b.get("type").asText()) : b.asText();
            if (!b.isArray() && !labels.contains(label)) {
                labels.add(label);
                u.add(b);
            }
        }
        return u.isEmpty() ? u.add("long") : u;
    }

    private JsonNode record(int depth) {
        ObjectNode r = object("record").put("name", "R" + names++);
        if (oneIn(3)) {
            r.put("namespace", "n" + random.nextInt(2));
        }
        ArrayNode fields = r.putArray("fields");
        for (int i = random.nextInt(5); i >= 0; i--) {
            fields.addObject().put("name", "f" + i).set("type", schema(depth - 1));
        }
        return r;
    }

    /** Copies s and changes here and there what may or may not be changed. */
    JsonNode evolve(JsonNode s) {
        if (oneIn(12) && !s.isArray()) {
            ArrayNode u = Golden.JSON.createArrayNode();
            if (!s.asText().equals("null")) {
                u.add("null");
            }
            return oneIn(2) ? u.add(evolveIn(s)) : u.insert(0, evolveIn(s));
        }
        return evolveIn(s);
    }

    private JsonNode evolveIn(JsonNode s) {
        if (s.isTextual()) {
            return oneIn(4) ? widen(s.asText()) : s;
        }
        if (s.isArray()) {
            return branches(s);
        }
        ObjectNode o = s.deepCopy();
        switch (o.get("type").asText()) {
        case "array":
            return o.set("items", evolve(o.get("items")));
        case "map":
            return o.set("values", evolve(o.get("values")));
        case "enum":
            rename(o);
            return symbols(o);
        case "fixed":
            rename(o);
            return oneIn(10) ? o.put("size", 9) : o;
        default:
            rename(o);
            return fields(o);
        }
    }

    private JsonNode widen(String type) {
        String[] to = switch (type) {
            case "int" -> new String[] {"long", "float", "double", "string"};
            case "long" -> new String[] {"float", "double", "int"};
            case "float" -> new String[] {"double", "long"};
            case "string" -> new String[] {"bytes", "int"};
            case "bytes" -> new String[] {"string"};
            default -> new String[] {type};
        };
        return new TextNode(to[random.nextInt(to.length)]);
    }

    private void rename(ObjectNode o) {
        String name = o.get("name").asText();
        if (oneIn(6)) {
            o.put("name", name + "x");
            if (!oneIn(3)) {
                o.putArray("aliases").add(name);
            }
        } else if (oneIn(8)) {
            o.put("namespace", "other");
        }
    }

    private JsonNode branches(JsonNode s) {
        List<JsonNode> u = new ArrayList<>();
        s.forEach(b -> u.add(evolveIn(b)));
        if (oneIn(3)) {
            Collections.shuffle(u, random);
        }
        if (oneIn(3) && u.size() > 1) {
            u.remove(0);
        }
        ArrayNode out = Golden.JSON.createArrayNode();
        List<String> seen = new ArrayList<>();
        for (JsonNode b : u) {
            if (!b.isTextual() || !seen.contains(b.asText())) {
                out.add(b);
                seen.add(b.asText());
            }
        }
        return oneIn(8) ? out.get(0) : out;
    }

    private JsonNode symbols(ObjectNode o) {
        ArrayNode a = (ArrayNode) o.get("symbols");
        if (oneIn(3)) {
            a.insert(0, "D");
        }
        if (oneIn(3)) {
            a.remove(a.size() - 1);
            if (oneIn(2)) {
                o.put("default", a.get(0).asText());
            }
        }
        return o;
    }

    private JsonNode fields(ObjectNode o) {
        List<JsonNode> kept = new ArrayList<>();
        for (JsonNode f : o.get("fields")) {
            if (oneIn(6)) {
                continue;
            }
            ObjectNode g = f.deepCopy();
            g.set("type", evolve(f.get("type")));
            if (oneIn(6)) {
                g.put("name", f.get("name").asText() + "x").putArray("aliases").add(f.get("name").asText());
            }
            kept.add(g);
        }
        if (oneIn(2)) {
            String[] more = {
                "{\"name\":\"n\",\"type\":\"int\",\"default\":7}",
                "{\"name\":\"n\",\"type\":[\"null\",\"string\"],\"default\":null}",
                "{\"name\":\"n\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"default\":[\"x\",\"y\"]}",
                "{\"name\":\"n\",\"type\":{\"type\":\"map\",\"values\":\"double\"},\"default\":{\"k\":1.5}}",
                "{\"name\":\"n\",\"type\":{\"type\":\"record\",\"name\":\"New" + names++
                    + "\",\"fields\":[{\"name\":\"a\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},{\"name\":\"b\",\"type\":\"long\"}]},"
                    + "\"default\":{\"b\":-3}}",
                "{\"name\":\"n\",\"type\":[\"string\",\"int\"],\"default\":5}",
                "{\"name\":\"n\",\"type\":\"string\"}",
            };
            try {
                kept.add(random.nextInt(kept.size() + 1), Golden.JSON.readTree(more[random.nextInt(more.length)]));
            } catch (java.io.IOException e) {
                throw new IllegalStateException(e);
            }
        }
        if (oneIn(3)) {
            Collections.shuffle(kept, random);
        }
        o.putArray("fields").addAll(kept);
        return o;
    }

    Object value(Schema s) {
        switch (s.getType()) {
        case NULL:
            return null;
        case BOOLEAN:
            return random.nextBoolean();
        case INT:
            return random.nextInt() >> random.nextInt(32);
        case LONG:
            return random.nextLong() >> random.nextInt(64);
        case FLOAT:
            return random.nextFloat();
        case DOUBLE:
            return random.nextDouble();
        case STRING:
            return text();
        case BYTES:
            return ByteBuffer.wrap(text().getBytes());
        case FIXED:
            byte[] b = new byte[s.getFixedSize()];
            random.nextBytes(b);
            return new GenericData.Fixed(s, b);
        case ENUM:
            return new GenericData.EnumSymbol(s, s.getEnumSymbols().get(random.nextInt(s.getEnumSymbols().size())));
        case ARRAY:
            List<Object> items = new GenericData.Array<>(3, s);
            for (int i = random.nextInt(3); i >= 0; i--) {
                items.add(value(s.getElementType()));
            }
            return items;
        case MAP:
            Map<String, Object> entries = new TreeMap<>();
            for (int i = random.nextInt(3); i >= 0; i--) {
                entries.put(text(), value(s.getValueType()));
            }
            return entries;
        case UNION:
            return value(s.getTypes().get(random.nextInt(s.getTypes().size())));
        default:
            GenericData.Record r = new GenericData.Record(s);
            s.getFields().forEach(f -> r.put(f.pos(), value(f.schema())));
            return r;
        }
    }

    private String text() {
        StringBuilder b = new StringBuilder();
        for (int i = random.nextInt(4); i >= 0; i--) {
            b.append((char) ('a' + random.nextInt(6)));
        }
        return b.toString();
    }
}
