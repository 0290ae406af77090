import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.kstream.internals.TimeWindow;
import org.apache.kafka.streams.processor.*;
import org.apache.kafka.streams.processor.api.*;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.function.*;

/** What comes with records and how they are chosen: headers, metadata, timestamps, idling; processors and their stores; windowed tables in every place. */
class Records extends More {
  static In[] lr() { return ins(in("left").nullValue(.15).value(r->"L"+r.nextInt(9)), in("right").nullValue(.15).value(r->"R"+r.nextInt(9))); }
  static In[] streams() { return ins(in("left").nullKey(.03).value(r->"L"+r.nextInt(9)), in("right").nullKey(.03).value(r->"R"+r.nextInt(9))); }
  static void put(KStream<String,String> s) { s.to("out", Produced.with(S,S)); }
  static KTable<String,String> vt(StreamsBuilder b, String t) { return b.table(t, Consumed.with(S,S), Materialized.<String,String>as(Stores.persistentVersionedKeyValueStore(t+"-vs", ms(2000))).withKeySerde(S).withValueSerde(S)); }
  static KTable<Windowed<String>,Long> counted(StreamsBuilder b, String t, long grace) { return by(b,t).windowedBy(tumbling(1000,grace)).count(matL(t+"-w")); }
  static final ValueJoiner<Long,Long,String> sums = (p,q) -> p + "+" + q;

  /** Puts the origin of a record behind its value. */
  static class Origins implements FixedKeyProcessor<String,String,String> { FixedKeyProcessorContext<String,String> c;
    public void init(FixedKeyProcessorContext<String,String> c) { this.c = c; }
    public void process(FixedKeyRecord<String,String> r) { c.forward(r.withValue(r.value() + c.recordMetadata().map(m -> "@" + m.topic() + m.partition() + "/" + m.offset()).orElse("@"))); } }

  static void scenarios() {
    headers(); idling(); origins(); processors(); windows();
  }

  static void headers() {
    add(new Sc("headers-stateless", "filter, flatMapValues, mapValues, selectKey, merge", ins(in("in").nullKey(.05)), outs("out"), b -> {
      KStream<String,String> s = st(b,"in").filter((k,v) -> !v.endsWith("3"));
      put(s.flatMapValues(v -> List.of(v, v+"'")).merge(s.mapValues(v -> v.toUpperCase())).selectKey((k,v) -> v)); })).headers();
    add(new Sc("headers-aggregate", "groupByKey().aggregate(init '', agg+v)", ins(in("in").nullValue(.1).value(letters)), outs("out"), b ->
      out(by(b,"in").aggregate(()->"", (k,v,a)->a+v, mat("s")))).jitter(100,500).steps(60)).headers();
    add(new Sc("headers-repartition", "selectKey(value).groupByKey().count(): repartition", ins(in("in").value(r->"v"+r.nextInt(4))), outs("out"), b ->
      to(st(b,"in").groupBy((k,v)->v, G).count(matL("s")).toStream(), "out")).jitter(100,500)).headers();
    add(new Sc("headers-table", "table.filter(odd).mapValues(upper).toStream()", ins(in("in").nullValue(.15).value(r->"x"+r.nextInt(10))), outs("out"), b ->
      out(tb(b,"in").filter((k,v) -> (v.charAt(1)-'0')%2==1).mapValues(v -> v.toUpperCase()))).jitter(100,500)).headers();
    add(new Sc("headers-group", "table.groupBy(value).count(): repartition", ins(in("in").nullValue(.15).keys("a","b","c","d").value(r->"g"+r.nextInt(3))), outs("out"), b ->
      to(tb(b,"in").groupBy((k,v) -> KeyValue.pair(v,k), G).count(matL("s")).toStream(), "out")).jitter(100,500)).headers();
    add(new Sc("headers-cogroup", "cogroup of left and right", ins(in("left").value(letters), in("right").value(letters)), outs("out"), b ->
      out(by(b,"left").<String>cogroup((k,v,a) -> a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).aggregate(() -> "", mat("s")))).jitter(100,500).steps(60)).headers();
    for (String k : new String[]{"inner","left","outer"}) {
      add(new Sc("headers-table-"+k, "left "+k+" join right", lr(), outs("out"), b -> {
        KTable<String,String> x = tb(b,"left"), y = tb(b,"right");
        out(k.equals("inner") ? x.join(y,Oracle::j) : k.equals("left") ? x.leftJoin(y,Oracle::j) : x.outerJoin(y,Oracle::j)); }).jitter(100,500)).headers();
      add(new Sc("headers-stream-"+k, "left "+k+" join right within 300 ms, grace 200 ms", streams(), outs("out"), b -> {
        KStream<String,String> x = st(b,"left"), y = st(b,"right"); JoinWindows w = within(300,200);
        put(k.equals("inner") ? x.join(y,Oracle::j,w,sj("j")) : k.equals("left") ? x.leftJoin(y,Oracle::j,w,sj("j")) : x.outerJoin(y,Oracle::j,w,sj("j"))); }).jitter(120,600)).headers();
    }
    for (String k : new String[]{"inner","left"}) {
      add(new Sc("headers-stream-table-"+k, "stream "+k+" join table", lr(), outs("out"), b -> { KStream<String,String> s = st(b,"left").filter((x,v) -> v != null);
        put(k.equals("inner") ? s.join(tb(b,"right"),Oracle::j) : s.leftJoin(tb(b,"right"),Oracle::j)); }).jitter(100,500)).headers();
      add(new Sc("headers-grace-"+k, "stream "+k+" join versioned table, history 2000 ms, grace 500 ms", lr(), outs("out"), b -> { KStream<String,String> s = st(b,"left"); Joined<String,String,String> g = Joined.<String,String,String>with(S,S,S,"jn").withGracePeriod(ms(500));
        put(k.equals("inner") ? s.join(vt(b,"right"),Oracle::j,g) : s.leftJoin(vt(b,"right"),Oracle::j,g)); }).jitter(150,900)).headers();
      add(new Sc("headers-global-"+k, "stream "+k+" join global table by first letter", ins(in("left").value(r->(char)('a'+r.nextInt(4))+"x"), in("right").keys("a","b","c").nullValue(.2).value(r->"G"+r.nextInt(9))), outs("out"), b -> {
        GlobalKTable<String,String> t = b.globalTable("right", Consumed.with(S,S)); KStream<String,String> s = st(b,"left"); KeyValueMapper<String,String,String> first = (x,v) -> v.substring(0,1); ValueJoiner<String,String,String> vj = Oracle::j;
        put(k.equals("inner") ? s.join(t,first,vj) : s.leftJoin(t,first,vj)); }).jitter(100,500)).headers();
      add(new Sc("headers-fk-"+k, "left "+k+" foreign-key join right, fk = left value before '|'", ins(in("left").keys("1","2","3","4").nullValue(.15).value(r->(char)('a'+r.nextInt(3))+"|L"+r.nextInt(9)), in("right").keys("a","b","c").nullValue(.2).value(r->"R"+r.nextInt(9))), outs("out"), b -> {
        KTable<String,String> x = tb(b,"left"), y = tb(b,"right"); Function<String,String> fk = v -> v.substring(0, v.indexOf('|'));
        out(k.equals("inner") ? x.join(y,fk,(p,q)->j(p,q)) : x.leftJoin(y,fk,(p,q)->j(p,q))); }).jitter(100,500)).headers();
    }
    add(new Sc("headers-hopping", "hopping 900/300 ms grace 300 ms, count", ins(in("in")), outs("out"), b -> wout(by(b,"in").windowedBy(tumbling(900,300).advanceBy(ms(300))).count(matL("s")))).jitter(120,900).steps(120)).headers();
    add(new Sc("headers-sliding", "sliding 400 ms grace 400 ms, count", ins(in("in").keys("a","b")), outs("out"), b -> wout(by(b,"in").windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(400),ms(400))).count(matL("s")))).jitter(120,700).steps(120)).headers();
    add(new Sc("headers-session", "sessions gap 300 ms grace 600 ms, count", ins(in("in")), outs("out"), b -> wout(by(b,"in").windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(300),ms(600))).count(matL("s")))).jitter(120,900).steps(120)).headers();
    add(new Sc("headers-tumbling-on-close", "tumbling 500 ms grace 300 ms, count, emitted on close", ins(in("in")), outs("out"), b -> wout(by(b,"in").windowedBy(tumbling(500,300)).emitStrategy(EmitStrategy.onWindowClose()).count(matL("s")))).jitter(120,600)).headers();
    add(new Sc("headers-session-on-close", "sessions gap 300 ms grace 300 ms, count, emitted on close", ins(in("in")), outs("out"), b -> wout(by(b,"in").windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(300),ms(300))).emitStrategy(EmitStrategy.onWindowClose()).count(matL("s")))).jitter(120,600)).headers();
    add(new Sc("headers-suppress-time", "count by key, suppressed for 800 ms", ins(in("in")), outs("out"), b -> to(by(b,"in").count(matL("s")).suppress(Suppressed.untilTimeLimit(ms(800), BufferConfig.unbounded())).toStream(), "out")).jitter(150,600)).headers();
    add(new Sc("headers-suppress-close", "tumbling count 500 ms grace 300 ms, suppressed until closed", ins(in("in")), outs("out"), b -> wout(counted(b,"in",300).suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded())))).jitter(150,600)).headers();
    add(new Sc("headers-processor", "process: adds a header 'seen' with the number of headers before", ins(in("in").nullValue(.1)), outs("out"), b -> put(st(b,"in").process(() -> new Processor<String,String,String,String>() { ProcessorContext<String,String> c;
      public void init(ProcessorContext<String,String> c) { this.c = c; }
      public void process(Record<String,String> r) { int n = r.headers().toArray().length; r.headers().add("seen", String.valueOf(n).getBytes(StandardCharsets.UTF_8)); c.forward(r); } })))).headers();
  }

  static void idling() {
    add(new Sc("idle-stream-table", "max.task.idle.ms 700: stream leftJoin table", lr(), outs("out"), b -> put(st(b,"left").filter((k,v) -> v != null).leftJoin(tb(b,"right"),Oracle::j))).jitter(100,500).wall(.25,700)).idle(700);
    add(new Sc("idle-merge-reduce", "max.task.idle.ms 300: left.merge(right).groupByKey().reduce(concat)", ins(in("left").value(letters), in("right").value(letters)), outs("out"), b -> out(st(b,"left").merge(st(b,"right")).groupByKey(G).reduce((x,y)->x+y, mat("s")))).jitter(100,500).wall(.25,500).steps(100)).idle(300);
    add(new Sc("idle-stream-join", "max.task.idle.ms 300: left outer join right within 300 ms, grace 200 ms", streams(), outs("out"), b -> put(st(b,"left").outerJoin(st(b,"right"),Oracle::j,within(300,200),sj("j")))).jitter(120,600).wall(.25,500)).idle(300);
    add(new Sc("idle-table-join", "max.task.idle.ms 500: left outer join right", lr(), outs("out"), b -> out(tb(b,"left").outerJoin(tb(b,"right"),Oracle::j))).jitter(100,500).wall(.25,700)).idle(500);
    add(new Sc("idle-cogroup", "max.task.idle.ms 500: cogroup of left and right in tumbling windows of 500 ms, grace 200 ms", ins(in("left").value(letters), in("right").value(letters)), outs("out"), b ->
      wout(by(b,"left").<String>cogroup((k,v,a) -> a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).windowedBy(tumbling(500,200)).aggregate(() -> "", mat("s")))).jitter(120,700).wall(.25,700).steps(120)).idle(500);
  }

  static void origins() {
    add(new Sc("metadata-direct", "the origin of each record is put behind its value", ins(in("left"), in("right")), outs("out"), b -> put(st(b,"left").merge(st(b,"right")).processValues(Origins::new))));
    add(new Sc("metadata-suppress", "table, suppressed for 600 ms; the origin of what comes out", ins(in("in").value(letters)), outs("out"), b -> put(tb(b,"in").suppress(Suppressed.untilTimeLimit(ms(600), BufferConfig.unbounded())).toStream().processValues(Origins::new))).jitter(120,500));
    add(new Sc("metadata-grace", "stream join versioned table, history 2000 ms, grace 500 ms; the origin of what comes out", lr(), outs("out"), b -> put(st(b,"left").leftJoin(vt(b,"right"),Oracle::j,Joined.<String,String,String>with(S,S,S,"jn").withGracePeriod(ms(500))).processValues(Origins::new))).jitter(150,900));
    add(new Sc("metadata-stream-join", "left outer join right within 300 ms, grace 200 ms; the origin of what comes out", streams(), outs("out"), b -> put(st(b,"left").outerJoin(st(b,"right"),Oracle::j,within(300,200),sj("j")).processValues(Origins::new))).jitter(120,600));
    add(new Sc("extractor-partition-time", "from 13300 on, values that end with 3 have no valid timestamp: they get the partition's time; tumbling count 500 ms grace 500 ms", ins(in("in").value(num(50))), outs("out"), b ->
      wout(b.stream("in", Consumed.with(S,S).withTimestampExtractor((r,p) -> ((String) r.value()).endsWith("3") && r.timestamp() > 13300 ? new UsePartitionTimeOnInvalidTimestamp().onInvalidTimestamp(r, -1, p) : r.timestamp())).groupByKey(G).windowedBy(tumbling(500,500)).count(matL("s")))).jitter(150,900));
    add(new Sc("extractor-join", "the timestamp of left is 10000 + 100 * its number, that of right its own less 200; left join within 500 ms, grace 1000 ms", ins(in("left").value(num(90)), in("right").value(r->"R"+r.nextInt(9))), outs("out"), b ->
      put(b.stream("left", Consumed.with(S,S).withTimestampExtractor((r,p) -> 10000 + 100L*Integer.parseInt((String) r.value()))).leftJoin(b.stream("right", Consumed.with(S,S).withTimestampExtractor((r,p) -> r.timestamp()-200)), Oracle::j, within(500,1000), sj("j")))).jitter(120,600));
    add(new Sc("extractor-table", "the timestamp of the table is 10000 + 100 * its number; stream leftJoin versioned table, history 2000 ms", ins(in("stream").value(r->"S"+r.nextInt(9)), in("table").value(num(90))), outs("out"), b ->
      put(st(b,"stream").leftJoin(b.table("table", Consumed.with(S,S).withTimestampExtractor((r,p) -> 10000 + 100L*Integer.parseInt((String) r.value())), Materialized.<String,String>as(Stores.persistentVersionedKeyValueStore("vs", ms(2000))).withKeySerde(S).withValueSerde(S)), Oracle::j))).jitter(120,600));
  }

  /** Emits what was in a store, and writes values to it; it only reads for values that end with '?'. */
  static class Remembers implements FixedKeyProcessor<String,String,String> { KeyValueStore<String,String> s; FixedKeyProcessorContext<String,String> c;
    public void init(FixedKeyProcessorContext<String,String> c) { this.c = c; s = c.getStateStore("kept"); }
    public void process(FixedKeyRecord<String,String> r) { String o = s.get(r.key()); if (!r.value().endsWith("?")) s.put(r.key(), r.value()); c.forward(r.withValue(o == null ? "-" : o)); } }

  static void processors() {
    Function<Random,String> asks = r -> (char)('a'+r.nextInt(26)) + (r.nextInt(3)==0 ? "?" : "");
    add(new Sc("process-values", "processValues: what was kept of the key; groupByKey().reduce(concat) without a repartition", ins(in("in").value(letters)), outs("out"), b -> {
      b.addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("kept"),S,S));
      out(st(b,"in").processValues(Remembers::new, "kept").groupByKey(G).reduce((x,y)->x+y, mat("s"))); }).jitter(100,500).steps(80));
    add(new Sc("lru-processor", "processValues: what was kept of the key in an LRU map of 3; values that end with '?' are not kept", ins(in("in").keys("a","b","c","d","e","f").value(asks)), outs("out"), b -> {
      b.addStateStore(Stores.keyValueStoreBuilder(Stores.lruMap("kept",3),S,S));
      put(st(b,"in").processValues(Remembers::new, "kept")); }));
    add(new Sc("lru-reduce", "groupByKey().reduce(concat) in an LRU map of 3", ins(in("in").keys("a","b","c","d","e").value(letters)), outs("out"), b ->
      out(by(b,"in").reduce((x,y)->x+y, Materialized.<String,String>as(Stores.lruMap("s",3)).withKeySerde(S).withValueSerde(S)))).jitter(100,500));
    add(new Sc("lru-table-join", "stream leftJoin table in an LRU map of 2", ins(in("left").keys("a","b","c","d"), in("right").keys("a","b","c","d").nullValue(.1)), outs("out"), b ->
      put(st(b,"left").leftJoin(b.table("right", Consumed.with(S,S), Materialized.<String,String>as(Stores.lruMap("s",2)).withKeySerde(S).withValueSerde(S)), Oracle::j))).jitter(100,500));
    add(new Sc("shared-store", "a processor reads the store of table 'right' and of the count of 'left'", lr(), outs("out"), b -> {
      tb(b,"right"); by(b,"left").count(matL("n"));
      put(st(b,"left").process(() -> new Processor<String,String,String,String>() { ReadOnlyKeyValueStore<String,ValueAndTimestamp<String>> t; ReadOnlyKeyValueStore<String,ValueAndTimestamp<Long>> n; ProcessorContext<String,String> c;
        public void init(ProcessorContext<String,String> c) { this.c = c; t = c.getStateStore("right-store"); n = c.getStateStore("n"); }
        public void process(Record<String,String> r) { c.forward(r.withValue(r.value() + "/" + ValueAndTimestamp.getValueOrNull(t.get(r.key())) + "/" + ValueAndTimestamp.getValueOrNull(n.get(r.key())))); } }, "right-store", "n")); }).jitter(100,500));
  }

  static void windows() {
    for (String k : new String[]{"inner","left","outer"})
      add(new Sc("suppress-windowed-"+k, k+" join of two tumbling counts of 1000 ms, grace 500 and 1500 ms, suppressed until closed", ins(in("left"), in("right")), outs("out"), b -> {
        KTable<Windowed<String>,Long> x = counted(b,"left",500), y = counted(b,"right",1500); Materialized<Windowed<String>,String,KeyValueStore<org.apache.kafka.common.utils.Bytes,byte[]>> m = Materialized.with(WindowedSerdes.timeWindowedSerdeFrom(String.class,1000), S);
        wout((k.equals("inner") ? x.join(y,sums,m) : k.equals("left") ? x.leftJoin(y,sums,m) : x.outerJoin(y,sums,m)).suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()))); }).jitter(150,1500));
    for (String k : new String[]{"inner","left"}) {
      add(new Sc("windowed-fk-"+k, "tumbling count 1000 ms grace 1000 ms, "+k+" foreign-key join right, fk = its key", ins(in("left"), in("right").nullValue(.2).value(r->"R"+r.nextInt(9))), outs("out"), b -> {
        KTable<Windowed<String>,Long> x = counted(b,"left",1000); BiFunction<Windowed<String>,Long,String> fk = (w,n) -> w.key(); ValueJoiner<Long,String,String> vj = (n,v) -> n+"+"+v;
        wout(k.equals("inner") ? x.join(tb(b,"right"),fk,vj) : x.leftJoin(tb(b,"right"),fk,vj)); }).jitter(150,1000).steps(120));
      add(new Sc("fk-windowed-"+k, "left "+k+" foreign-key join a tumbling count of 1000 ms, grace 1000 ms: fk = the first letter's window, which begins with the second that follows", ins(in("left").keys("1","2","3").nullValue(k.equals("inner") ? .1 : 0).value(r->(char)('a'+r.nextInt(3))+""+(10+r.nextInt(15))), in("right").weight(3)), outs("out"), b -> {
        KTable<String,String> x = tb(b,"left"); Function<String,Windowed<String>> fk = v -> { long at = 1000L*Long.parseLong(v.substring(1)); return new Windowed<>(v.substring(0,1), new TimeWindow(at, at+1000)); }; ValueJoiner<String,Long,String> vj = (v,n) -> v+"+"+n;
        KTable<Windowed<String>,Long> y = counted(b,"right",1000);
        out(k.equals("inner") ? x.join(y,fk,vj) : x.leftJoin(y,fk,vj)); }).jitter(100,1000));
    }
    add(new Sc("session-table-join", "outer join of two session counts, gap 400 ms, grace 800 ms", ins(in("left"), in("right")), outs("out"), b -> {
      SessionWindows w = SessionWindows.ofInactivityGapAndGrace(ms(400),ms(800));
      wout(by(b,"left").windowedBy(w).count(matL("l")).outerJoin(by(b,"right").windowedBy(w).count(matL("r")), sums)); }).jitter(150,900));
    add(new Sc("windowed-group-sum", "hopping count 1000/500 ms grace 500 ms, grouped by the key, summed", ins(in("in")), outs("out"), b ->
      to(by(b,"in").windowedBy(tumbling(1000,500).advanceBy(ms(500))).count(matL("w")).groupBy((w,n) -> KeyValue.pair(w.key(),n), Grouped.with("r",S,L)).reduce((x,y)->x+y,(x,y)->x-y,matL("t")).toStream(), "out")).jitter(150,1000).steps(120));
    add(new Sc("session-group-count", "session count gap 300 ms grace 600 ms, grouped by how many records it has, counted", ins(in("in").keys("a","b")), outs("out"), b ->
      to(by(b,"in").windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(300),ms(600))).count(matL("w")).groupBy((w,n) -> KeyValue.pair(""+n,w.key()), Grouped.with("r",S,S)).count(matL("t")).toStream(), "out")).jitter(120,700).steps(120));
    add(new Sc("close-then-count", "tumbling count 500 ms grace 300 ms, emitted on close, counted by its number", ins(in("in")), outs("out"), b ->
      to(by(b,"in").windowedBy(tumbling(500,300)).emitStrategy(EmitStrategy.onWindowClose()).count(matL("w")).toStream().map((w,n) -> KeyValue.pair(""+n,w.key())).groupByKey(Grouped.with("r",S,S)).count(matL("t")).toStream(), "out")).jitter(150,600));
    add(new Sc("cogroup-deletes", "cogroup of left and right: 'x' deletes, anything begins again with '^'", ins(in("left").value(r->""+"abx".charAt(r.nextInt(3))), in("right").nullValue(.1).value(letters)), outs("out"), b ->
      out(by(b,"left").<String>cogroup((k,v,a) -> v.equals("x") ? null : a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).aggregate(() -> "^", mat("s")))).jitter(100,500));
    add(new Sc("cogroup-window-deletes", "cogroup of left and right in tumbling windows of 700 ms, grace 300 ms: 'x' deletes", ins(in("left").value(r->""+"abx".charAt(r.nextInt(3))), in("right").value(letters)), outs("out"), b ->
      wout(by(b,"left").<String>cogroup((k,v,a) -> v.equals("x") ? null : a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).windowedBy(tumbling(700,300)).aggregate(() -> "^", mat("s")))).jitter(100,600).steps(120));
    add(new Sc("cogroup-then-group", "cogroup of left and right, grouped by its length, counted", ins(in("left").value(letters), in("right").value(letters)), outs("out"), b ->
      to(by(b,"left").<String>cogroup((k,v,a) -> a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).aggregate(() -> "", mat("s")).groupBy((k,v) -> KeyValue.pair(""+v.length(),k), Grouped.with("r",S,S)).count(matL("t")).toStream(), "out")).jitter(100,500).steps(60));
  }
}
