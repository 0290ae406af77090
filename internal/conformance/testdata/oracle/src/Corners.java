import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;
import java.util.*;

/** Null keys at repartitions, initial values that somebody takes back, a global store with a processor of its own. */
class Corners extends Records {
  static KStream<String,String> moved(StreamsBuilder b, String t) { return st(b,t).repartition(Repartitioned.<String,String>as(t+"-r").withKeySerde(S).withValueSerde(S)); }
  static In[] nulls(String t) { return ins(in("left").nullKey(.2).nullValue(.05).value(r->"L"+r.nextInt(9)), in(t).nullKey(.2).nullValue(.1).value(r->"R"+r.nextInt(9))); }
  static KGroupedTable<String,String> anew(KTable<String,String> t) { return t.groupBy((k,v) -> KeyValue.pair(v.substring(v.length()-1), v), G); }
  static KTable<String,String> gathered(KGroupedTable<String,String> t) { return t.aggregate(() -> "", (k,v,a) -> tail(a+"+"+v), (k,v,a) -> tail(a+"-"+v), mat("g")); }
  static KTable<String,String> gatheredW(KTable<Windowed<String>,String> t) { return gathered(t.groupBy((w,v) -> KeyValue.pair(w.key(), v), G)); }
  static String tail(String s) { return s.length() <= 24 ? s : s.substring(s.length()-24); }
  static Aggregator<String,String,String> last(String mark) { return (k,v,a) -> a.substring(a.length()-1) + mark + v; }
  static final Initializer<String> init = () -> "in";
  static In few(String t) { return in(t).nullValue(.1).value(r->"v"+r.nextInt(4)); }
  static In whole(String t) { return in(t).value(r->"v"+r.nextInt(4)); } // windows hand nulls to their aggregators

  static void scenarios() {
    relaxed(); initial(); global();
  }

  static void relaxed() {
    add(new Sc("nulls-repartition", "repartition: null keys are dropped; of another repartition that a left join follows, they are not, for anybody", nulls("table"), outs("out","outA","outB"), b -> {
      KStream<String,String> m = moved(b,"left");
      put(m.leftJoin(tb(b,"table"), Oracle::j));
      m.mapValues(v -> v == null ? null : v+"!").to("outA", Produced.with(S,S));
      st(b,"left").repartition(Repartitioned.<String,String>as("other").withKeySerde(S).withValueSerde(S)).to("outB", Produced.with(S,S)); }).jitter(100,500));
    add(new Sc("nulls-inner", "repartition, inner join with a table: null keys are dropped", nulls("table"), outs("out"), b ->
      put(moved(b,"left").join(tb(b,"table"), Oracle::j))).jitter(100,500).steps(80));
    add(new Sc("nulls-twice", "repartition, mapValues, repartition, left join with a table", nulls("table"), outs("out"), b ->
      put(moved(b,"left").mapValues(v -> v == null ? null : v+"'").repartition(Repartitioned.<String,String>as("again").withKeySerde(S).withValueSerde(S)).leftJoin(tb(b,"table"), Oracle::j))).jitter(100,500).steps(80));
    add(new Sc("nulls-count", "repartition, count, toStream, left join with a table: nothing counts a null key", nulls("table"), outs("out"), b ->
      put(moved(b,"left").groupByKey(G).count(matL("s")).toStream().mapValues(n -> ""+n).leftJoin(tb(b,"table"), Oracle::j))).jitter(100,500).steps(80));
    add(new Sc("nulls-global", "repartition, left join with a global table by value", nulls("table"), outs("out"), b -> {
      GlobalKTable<String,String> g = b.globalTable("table", Consumed.with(S,S));
      put(moved(b,"left").leftJoin(g, (k,v) -> k, (v,w) -> j(v,w))); }).jitter(100,500).steps(80));
    for (String k : new String[]{"inner","left","outer"})
      add(new Sc("nulls-stream-"+k, "both sides repartitioned, "+k+" join within 300 ms, grace 200 ms", nulls("right"), outs("out"), b -> {
        KStream<String,String> x = moved(b,"left"), y = moved(b,"right"); JoinWindows w = within(300,200);
        put(k.equals("inner") ? x.join(y,Oracle::j,w,sj("j")) : k.equals("left") ? x.leftJoin(y,Oracle::j,w,sj("j")) : x.outerJoin(y,Oracle::j,w,sj("j"))); }).jitter(120,600).steps(120));
  }

  static void initial() {
    add(new Sc("initial-group", "aggregate(init 'in').groupBy(last letter).aggregate(add +, subtract -): the initial value is subtracted", ins(few("in")), outs("out"), b ->
      out(gathered(anew(by(b,"in").aggregate(init, last("."), mat("s")))))).jitter(100,500).steps(100));
    add(new Sc("initial-filter", "aggregate(init 'in').filter(not v0)", ins(few("in")), outs("out"), b ->
      out(by(b,"in").aggregate(init, last("."), mat("s")).filter((k,v) -> !v.endsWith("v0")))).jitter(100,500).steps(100));
    for (String k : new String[]{"inner","left"})
      add(new Sc("initial-fk-"+k, "aggregate(init 'in') "+k+" join table by foreign key, the last letter", ins(few("in"), in("table").keys("0","1","2","n").nullValue(.2).value(r->"T"+r.nextInt(9))), outs("out"), b -> {
        KTable<String,String> x = by(b,"in").aggregate(init, last("."), mat("s")); 
        out(k.equals("inner") ? x.join(tb(b,"table"), v -> v.substring(v.length()-1), Oracle::j) : x.leftJoin(tb(b,"table"), v -> v.substring(v.length()-1), Oracle::j)); }).jitter(100,500).steps(120));
    add(new Sc("initial-tumbling", "tumbling aggregate(init 'in'), 1000 ms, grace 500 ms, .groupBy(key).aggregate(+, -)", ins(whole("in")), outs("out"), b ->
      out(gatheredW(by(b,"in").windowedBy(tumbling(1000,500)).aggregate(init, last("."), mat("s"))))).jitter(150,900).steps(100));
    add(new Sc("initial-sliding", "sliding aggregate(init 'in'), 400 ms, grace 500 ms, .groupBy(key).aggregate(+, -)", ins(few("in").keys("a","b")), outs("out"), b ->
      out(gatheredW(by(b,"in").windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(400),ms(500))).aggregate(init, last("."), mat("s"))))).jitter(120,600).steps(100));
    add(new Sc("initial-cogroup", "cogroup, aggregate(init 'in'), .groupBy(last letter).aggregate(+, -)", ins(few("left"), few("right")), outs("out"), b ->
      out(gathered(anew(by(b,"left").<String>cogroup(last("L")).cogroup(by(b,"right"), last("R")).aggregate(init, mat("s")))))).jitter(100,500).steps(100));
    add(new Sc("initial-cogroup-tumbling", "cogroup in tumbling windows of 1000 ms, grace 500 ms, aggregate(init 'in'), .groupBy(key).aggregate(+, -)", ins(whole("left"), whole("right")), outs("out"), b ->
      out(gatheredW(by(b,"left").<String>cogroup(last("L")).cogroup(by(b,"right"), last("R")).windowedBy(tumbling(1000,500)).aggregate(init, mat("s"))))).jitter(150,900).steps(100));
    add(new Sc("initial-deletes", "aggregate(init 'in', null for v0).groupBy(last letter).aggregate(+, -)", ins(few("in")), outs("out"), b ->
      out(gathered(anew(by(b,"in").<String>aggregate(init, (k,v,a) -> v.equals("v0") ? null : v, mat("s")))))).jitter(100,500).steps(100));
    add(new Sc("initial-session", "sessions, gap 300 ms, grace 300 ms, aggregate(init 'in'), .groupBy(key).aggregate(+, -)", ins(whole("in")), outs("out"), b ->
      out(gatheredW(by(b,"in").windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(300),ms(300))).aggregate(init, last("."), (k,x,y) -> x+"|"+y.substring(y.length()-1), mat("s"))))).jitter(120,600).steps(100));
    add(new Sc("initial-regroup", "table.groupBy(value).aggregate(init 'in').groupBy(last letter).aggregate(+, -)", ins(in("in").nullValue(.15).keys("a","b","c","d").value(r->"g"+r.nextInt(3))), outs("out"), b ->
      out(gathered(anew(tb(b,"in").groupBy((k,v) -> KeyValue.pair(v,k), G).aggregate(init, (k,v,a) -> a.substring(a.length()-1)+"+"+v, (k,v,a) -> a.substring(a.length()-1)+"-"+v, mat("s")))))).jitter(100,500).steps(100));
  }

  /** Puts the values of a record's key into a row of the value's first letter; one that ends in 9 deletes it. */
  static class Filling implements Processor<String,String,Void,Void> { KeyValueStore<String,String> s;
    public void init(ProcessorContext<Void,Void> c) { s = c.getStateStore("gs"); }
    public void process(Record<String,String> r) { if (r.value() == null) return; String row = r.value().substring(0,1), old = s.get(row);
      if (r.value().endsWith("9")) s.delete(row); else s.put(row, tail((old == null ? "" : old) + r.key() + r.value().charAt(1))); } }

  static class Asking implements FixedKeyProcessor<String,String,String> { KeyValueStore<String,String> s; FixedKeyProcessorContext<String,String> c;
    public void init(FixedKeyProcessorContext<String,String> c) { this.c = c; s = c.getStateStore("gs"); }
    public void process(FixedKeyRecord<String,String> r) { c.forward(r.withValue(r.value() + "=" + s.get(r.value()))); } }

  static void global() {
    add(new Sc("global-store", "addGlobalStore with a processor that keeps the values by their first letters; asked by key", ins(in("stream").value(r->""+(char)('x'+r.nextInt(3))), in("global").nullValue(.1).value(r->(char)('x'+r.nextInt(3))+""+r.nextInt(10))), outs("out"), b -> {
      b.addGlobalStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("gs"),S,S).withLoggingDisabled(), "global", Consumed.with(S,S), Filling::new);
      put(st(b,"stream").processValues(Asking::new)); }).jitter(100,500));
  }
}
