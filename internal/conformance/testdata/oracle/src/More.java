import org.apache.kafka.common.serialization.*;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.kstream.Suppressed.BufferConfig;
import org.apache.kafka.streams.state.*;
import java.util.*;
import java.util.function.*;

/** Scenarios beyond the first ones: operators behind operators, empty strings, extractors, stores that are not materialised. */
class More extends Oracle {
  static Function<Random,String> letters = r -> "" + (char)('a' + r.nextInt(26));
  static KTable<String,String> bare(StreamsBuilder b, String t) { return b.table(t, Consumed.with(S,S)); }
  static void out(KTable<String,String> t) { t.toStream().to("out", Produced.with(S,S)); }
  static <V> void wout(KTable<Windowed<String>,V> t) { wto(t.toStream(), "out"); }
  static Grouped<String,String> g(String n) { return Grouped.with(n, S, S); }
  static KGroupedStream<String,String> by(StreamsBuilder b, String t) { return st(b,t).groupByKey(G); }
  static TimeWindows tumbling(long size, long grace) { return TimeWindows.ofSizeAndGrace(ms(size), ms(grace)); }
  static JoinWindows within(long d, long grace) { return JoinWindows.ofTimeDifferenceAndGrace(ms(d), ms(grace)); }
  static StreamJoined<String,String,String> sj(String n) { return StreamJoined.with(S,S,S).withName(n).withStoreName(n); }
  static Materialized<String,String,KeyValueStore<Bytes,byte[]>> kv(String n) { return mat(n); }

  static void scenarios() {
    // --- joins behind joins
    add(new Sc("chained-stream-table", "stream.join(t1).leftJoin(t2)", ins(in("stream").nullValue(.05).nullKey(.05).value(r->"S"+r.nextInt(9)).weight(2), in("t1").nullValue(.2).value(r->"A"+r.nextInt(9)), in("t2").nullValue(.2).value(r->"B"+r.nextInt(9))), outs("out"), b -> {
      KTable<String,String> a = tb(b,"t1"), c = tb(b,"t2");
      st(b,"stream").join(a, Oracle::j).leftJoin(c, Oracle::j).to("out", Produced.with(S,S)); }).jitter(100,600));
    for (String k : new String[]{"inner","left","outer"})
      add(new Sc("table-chain-"+k, "t1 "+k+" join t2 "+k+" join t3, nothing materialised but the sources", ins(in("t1").nullValue(.25).value(r->"A"+r.nextInt(9)), in("t2").nullValue(.25).value(r->"B"+r.nextInt(9)), in("t3").nullValue(.25).value(r->"C"+r.nextInt(9))), outs("out"), b -> {
        KTable<String,String> x = tb(b,"t1"), y = tb(b,"t2"), z = tb(b,"t3");
        out(k.equals("inner") ? x.join(y,Oracle::j).join(z,Oracle::j) : k.equals("left") ? x.leftJoin(y,Oracle::j).leftJoin(z,Oracle::j) : x.outerJoin(y,Oracle::j).outerJoin(z,Oracle::j)); }).jitter(100,600));
    add(new Sc("table-derived-join", "t1.filter(odd).mapValues(upper) inner join t2.mapValues(v+'!').filter(not '3'), nothing materialised but the sources", ins(in("t1").nullValue(.15).value(r->"x"+r.nextInt(10)), in("t2").nullValue(.15).value(r->"y"+r.nextInt(10))), outs("out"), b ->
      out(tb(b,"t1").filter((k,v) -> (v.charAt(1)-'0')%2==1).mapValues(v -> v.toUpperCase()).join(tb(b,"t2").mapValues(v -> v+"!").filter((k,v) -> v.charAt(1)!='3'), Oracle::j))).jitter(100,600));
    add(new Sc("table-filter-bare", "table.filter(odd).mapValues(upper).toStream(), nothing materialised but the source", ins(in("in").nullValue(.15).value(r->"x"+r.nextInt(10))), outs("out"), b ->
      out(tb(b,"in").filter((k,v) -> (v.charAt(1)-'0')%2==1).mapValues(v -> v.toUpperCase()))).jitter(100,600));
    add(new Sc("table-filternot-then-group", "table.filterNot(value starts with 'g1').groupBy(value).count()", ins(in("in").nullValue(.15).keys("a","b","c","d").value(r->"g"+r.nextInt(3))), outs("out"), b ->
      to(tb(b,"in").filterNot((k,v) -> v.startsWith("g1")).groupBy((k,v) -> KeyValue.pair(v,k), G).count(matL("s")).toStream(), "out")).jitter(100,600));
    add(new Sc("join-then-group", "t1.join(t2).groupBy(right).count()", ins(in("t1").nullValue(.2).keys("a","b","c","d").value(r->"A"+r.nextInt(3)), in("t2").nullValue(.2).keys("a","b","c","d").value(r->"B"+r.nextInt(3))), outs("out"), b ->
      to(tb(b,"t1").leftJoin(tb(b,"t2"), Oracle::j).groupBy((k,v) -> KeyValue.pair(v.substring(v.indexOf('+')+1),k), G).count(matL("s")).toStream(), "out")).jitter(100,600));
    add(new Sc("fk-join-on-join", "(left leftJoin extra) fk join right, fk = left value before '|'", ins(in("left").keys("1","2","3","4").nullValue(.15).value(r-> (char)('a'+r.nextInt(3))+"|L"+r.nextInt(9)), in("extra").keys("1","2","3","4").nullValue(.2).value(r->"E"+r.nextInt(9)), in("right").keys("a","b","c").nullValue(.2).value(r->"R"+r.nextInt(9))), outs("out"), b ->
      out(tb(b,"left").leftJoin(tb(b,"extra"), Oracle::j, kv("le")).join(tb(b,"right"), (String v) -> v.substring(0, v.indexOf('|')), (x,y)->j(x,y), kv("fk")))).jitter(100,600).steps(250));
    add(new Sc("fk-join-then-join", "(left fk leftJoin right) join extra by key", ins(in("left").keys("1","2","3","4").nullValue(.15).value(r-> (char)('a'+r.nextInt(3))+"|L"+r.nextInt(9)), in("right").keys("a","b","c").nullValue(.2).value(r->"R"+r.nextInt(9)), in("extra").keys("1","2","3","4").nullValue(.2).value(r->"E"+r.nextInt(9))), outs("out"), b ->
      out(tb(b,"left").leftJoin(tb(b,"right"), (String v) -> v.substring(0, v.indexOf('|')), (x,y)->j(x,y), kv("fk")).join(tb(b,"extra"), Oracle::j, kv("je")))).jitter(100,600).steps(250));
    add(new Sc("global-chain", "stream.join(g1 by first letter).leftJoin(g2 by key)", ins(in("stream").nullValue(.05).value(r->(char)('a'+r.nextInt(4))+"x"+r.nextInt(9)).weight(2), in("g1").nullValue(.15).keys("a","b","c","d").value(r->"T"+r.nextInt(9)), in("g2").nullValue(.15).value(r->"U"+r.nextInt(9))), outs("out"), b -> {
      GlobalKTable<String,String> x = b.globalTable("g1", Consumed.with(S,S)), y = b.globalTable("g2", Consumed.with(S,S));
      st(b,"stream").join(x, (k,v) -> v==null?null:v.substring(0,1), (v,w) -> j(v,w)).leftJoin(y, (k,v) -> k, (v,w) -> j(v,w)).to("out", Produced.with(S,S)); }).jitter(100,600));
    add(new Sc("stream-join-then-count", "left.join(right, 400 ms).groupByKey().count()", ins(in("left").value(r->"L"+r.nextInt(9)), in("right").value(r->"R"+r.nextInt(9))), outs("out"), b ->
      to(st(b,"left").join(st(b,"right"), Oracle::j, within(400,200), sj("j")).groupByKey(G).count(matL("s")).toStream(), "out")).jitter(120,600).steps(120));
    add(new Sc("stream-join-then-table", "left.outerJoin(right, 400 ms).leftJoin(table)", ins(in("left").value(r->"L"+r.nextInt(9)), in("right").value(r->"R"+r.nextInt(9)), in("table").nullValue(.2).value(r->"T"+r.nextInt(9))), outs("out"), b ->
      st(b,"left").outerJoin(st(b,"right"), Oracle::j, within(400,200), sj("j")).leftJoin(tb(b,"table"), Oracle::j).to("out", Produced.with(S,S))).jitter(120,600).steps(150));
    add(new Sc("stream-join-chain", "a.join(b, 300 ms).leftJoin(c, 300 ms)", ins(in("a").value(r->"A"+r.nextInt(9)), in("b").value(r->"B"+r.nextInt(9)), in("c").value(r->"C"+r.nextInt(9))), outs("out"), b ->
      st(b,"a").join(st(b,"b"), Oracle::j, within(300,300), sj("j1")).leftJoin(st(b,"c"), Oracle::j, within(300,300), sj("j2")).to("out", Produced.with(S,S))).jitter(120,500).steps(150));
    add(new Sc("rekeyed-stream-table", "stream.selectKey(value's first letter) join table: repartition", ins(in("stream").nullValue(.05).value(r->(char)('a'+r.nextInt(3))+""+r.nextInt(9)).weight(2), in("table").nullValue(.2).value(r->"T"+r.nextInt(9))), outs("out"), b ->
      st(b,"stream").filter((k,v) -> v != null).selectKey((k,v) -> v.substring(0,1)).join(tb(b,"table"), Oracle::j, Joined.with(S,S,S,"r")).to("out", Produced.with(S,S))).jitter(100,600));
    add(new Sc("rekeyed-to-table", "stream.selectKey(value).toTable().toStream(): repartition", ins(in("in").nullKey(.05).nullValue(.1).value(r->"v"+r.nextInt(4))), outs("out"), b ->
      out(st(b,"in").selectKey((k,v) -> v).toTable(kv("s")))).jitter(100,600));
    add(new Sc("merge-then-count", "a.merge(b.mapValues(upper)).groupBy(value).count()", ins(in("a").value(r->"v"+r.nextInt(4)), in("b").value(r->"v"+r.nextInt(4))), outs("out"), b ->
      to(st(b,"a").merge(st(b,"b").mapValues(v -> v.toUpperCase())).groupBy((k,v) -> v, G).count(matL("s")).toStream(), "out")).jitter(100,500));
    add(new Sc("flatmapvalues-count", "flatMapValues(letters of the value).groupBy(letter).count()", ins(in("in").value(r->letters.apply(r)+letters.apply(r)+letters.apply(r))), outs("out"), b ->
      to(st(b,"in").flatMapValues(v -> Arrays.asList(v.split(""))).groupBy((k,v) -> v, G).count(matL("s")).toStream(), "out")).jitter(100,500));

    // --- windows
    for (String k : new String[]{"inner","left","outer"})
      add(new Sc("windowed-table-"+k, k+" join of two tumbling counts, 1000 ms, grace 1500 ms", ins(in("left"), in("right")), outs("out"), b -> {
        KTable<Windowed<String>,Long> x = by(b,"left").windowedBy(tumbling(1000,1500)).count(matL("l")), y = by(b,"right").windowedBy(tumbling(1000,1500)).count(matL("r"));
        ValueJoiner<Long,Long,String> vj = (p,q) -> p + "+" + q;
        wout(k.equals("inner") ? x.join(y,vj) : k.equals("left") ? x.leftJoin(y,vj) : x.outerJoin(y,vj)); }).jitter(150,1500));
    add(new Sc("windowed-filter", "tumbling count 1000 ms grace 1000 ms, table.filter(count even).mapValues(count*10)", ins(in("in")), outs("out"), b ->
      wout(by(b,"in").windowedBy(tumbling(1000,1000)).count(matL("s")).filter((k,v) -> v%2==0).mapValues(v -> v*10))).jitter(150,1500));
    add(new Sc("cogroup-tumbling", "cogroup of left and right in tumbling windows of 1000 ms, grace 700 ms", ins(in("left").value(letters), in("right").value(letters)), outs("out"), b ->
      wout(by(b,"left").<String>cogroup((k,v,a) -> a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).windowedBy(tumbling(1000,700)).aggregate(() -> "", mat("s")))).jitter(120,1200).steps(120));
    add(new Sc("cogroup-session", "cogroup of left and right in sessions, gap 400 ms, grace 500 ms", ins(in("left").value(letters), in("right").value(letters)), outs("out"), b ->
      wout(by(b,"left").<String>cogroup((k,v,a) -> a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(400),ms(500))).aggregate(() -> "", (k,x,y) -> x+"|"+y, mat("s")))).jitter(120,900).steps(120));
    add(new Sc("cogroup-sliding", "cogroup of left and right in sliding windows of 300 ms, grace 300 ms", ins(in("left").value(letters).keys("a","b"), in("right").value(letters).keys("a","b")), outs("out"), b ->
      wout(by(b,"left").<String>cogroup((k,v,a) -> a+"L"+v).cogroup(by(b,"right"), (k,v,a) -> a+"R"+v).windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(300),ms(300))).aggregate(() -> "", mat("s")))).jitter(90,500).steps(100));
    add(new Sc("hopping-reduce", "hopping 900/300 ms grace 300 ms, reduce concat", ins(in("in").value(letters)), outs("out"), b ->
      wout(by(b,"in").windowedBy(tumbling(900,300).advanceBy(ms(300))).reduce((x,y) -> x+y, mat("s")))).jitter(120,900).steps(120));
    add(new Sc("sliding-reduce", "sliding 400 ms grace 400 ms, reduce concat", ins(in("in").value(letters).keys("a","b")), outs("out"), b ->
      wout(by(b,"in").windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(400),ms(400))).reduce((x,y) -> x+y, mat("s")))).jitter(90,700).steps(120));
    add(new Sc("session-reduce", "sessions gap 300 ms grace 600 ms, reduce concat", ins(in("in").value(letters)), outs("out"), b ->
      wout(by(b,"in").windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(300),ms(600))).reduce((x,y) -> x+y, mat("s")))).jitter(120,900).steps(120));
    add(new Sc("unlimited-count", "one window from 12000 ms on, count; its end is not printed", ins(in("in")), outs("out"), b ->
      to(by(b,"in").windowedBy(UnlimitedWindows.of().startOn(java.time.Instant.ofEpochMilli(12000))).count(matL("s")).toStream().map((w,v) -> KeyValue.pair(w.key()+"@"+w.window().start(), v)), "out")).jitter(150,1500));
    add(new Sc("sliding-at-epoch", "sliding 500 ms grace 100000 ms around the epoch: timestamps are those of the input less 9800 ms, not below 0", ins(in("in").value(letters).keys("a","b")), outs("out"), b ->
      wout(b.stream("in", Consumed.with(S,S).withTimestampExtractor((r,p) -> Math.max(0, r.timestamp()-9800))).groupByKey(G).windowedBy(SlidingWindows.ofTimeDifferenceAndGrace(ms(500),ms(100000))).aggregate(() -> "", (k,v,a) -> a+v, mat("s")))).jitter(30,700).steps(80));
    add(new Sc("extractor-count", "the timestamp is 10000 + 100 * the number in the value; tumbling count 1000 ms grace 500 ms", ins(in("in").value(num(80))), outs("out"), b ->
      wout(b.stream("in", Consumed.with(S,S).withTimestampExtractor((r,p) -> 10000 + 100L*Integer.parseInt((String) r.value()))).groupByKey(G).windowedBy(tumbling(1000,500)).count(matL("s")))).jitter(150,1500));
    add(new Sc("extractor-invalid", "a timestamp of -1 for values that end with 3: such records are skipped; count by key", ins(in("in").value(num(50))), outs("out"), b ->
      to(b.stream("in", Consumed.with(S,S).withTimestampExtractor((r,p) -> ((String) r.value()).endsWith("3") ? -1 : r.timestamp())).groupByKey(G).count(matL("s")).toStream(), "out")).jitter(100,500));
    add(new Sc("suppress-then-group", "tumbling count 1000 ms grace 500 ms, suppressed until closed, then summed by key", ins(in("in")), outs("out"), b ->
      to(by(b,"in").windowedBy(tumbling(1000,500)).count(matL("w")).suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded()))
        .groupBy((w,v) -> KeyValue.pair(w.key(), v), Grouped.with("r", S, L)).reduce((x,y) -> x+y, (x,y) -> x-y, matL("t")).toStream(), "out")).jitter(200,900));
    add(new Sc("suppress-filtered-windows", "tumbling count 1000 ms grace 500 ms, filter(count > 1), suppressed until closed", ins(in("in")), outs("out"), b ->
      wout(by(b,"in").windowedBy(tumbling(1000,500)).count(matL("w")).filter((k,v) -> v > 1).suppress(Suppressed.untilWindowCloses(BufferConfig.unbounded())))).jitter(200,900));
    add(new Sc("suppress-table-join", "t1.leftJoin(t2), suppressed for 800 ms", ins(in("t1").nullValue(.2).value(r->"A"+r.nextInt(9)), in("t2").nullValue(.2).value(r->"B"+r.nextInt(9))), outs("out"), b ->
      out(tb(b,"t1").leftJoin(tb(b,"t2"), Oracle::j).suppress(Suppressed.untilTimeLimit(ms(800), BufferConfig.unbounded())))).jitter(150,600));

    // --- empty strings are values and keys
    In empties = in("in").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "x"+r.nextInt(3)).nullValue(.1).nullKey(.05);
    add(new Sc("empty-count", "groupByKey().count() with empty keys and values", ins(empties), outs("out"), b -> to(by(b,"in").count(matL("s")).toStream(), "out")).jitter(100,500));
    add(new Sc("empty-table-group", "table.groupBy(value).reduce(concat, keep) with empty keys and values", ins(in("in").keys("", "a", "b").value(r -> r.nextInt(3)==0 ? "" : "x").nullValue(.1)), outs("out"), b ->
      to(tb(b,"in").groupBy((k,v) -> KeyValue.pair(v,k), G).count(matL("s")).toStream(), "out")).jitter(100,500));
    add(new Sc("empty-table-join", "outer join with empty keys and values", ins(in("left").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "L"+r.nextInt(3)).nullValue(.2), in("right").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "R"+r.nextInt(3)).nullValue(.2)), outs("out"), b ->
      out(tb(b,"left").outerJoin(tb(b,"right"), Oracle::j, kv("jt")))).jitter(100,500));
    add(new Sc("empty-fk-join", "left fk join with empty keys, foreign keys and values", ins(in("left").keys("", "1").value(r -> r.nextInt(3)==0 ? "" : "a").nullValue(.15), in("right").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "R"+r.nextInt(3)).nullValue(.2)), outs("out"), b ->
      out(tb(b,"left").leftJoin(tb(b,"right"), (String v) -> v, (x,y)->j(x,y), kv("fk")))).jitter(100,500));
    add(new Sc("empty-stream-join", "outer stream join 400 ms, grace 200 ms with empty keys and values", ins(in("left").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "L"+r.nextInt(3)), in("right").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "R"+r.nextInt(3))), outs("out"), b ->
      st(b,"left").outerJoin(st(b,"right"), Oracle::j, within(400,200), sj("j")).to("out", Produced.with(S,S))).jitter(120,600).steps(150));
    add(new Sc("empty-session", "sessions gap 300 ms with empty keys and values, aggregate '('v')'", ins(in("in").keys("", "a").value(r -> r.nextInt(3)==0 ? "" : "x")), outs("out"), b ->
      wout(by(b,"in").windowedBy(SessionWindows.ofInactivityGapAndGrace(ms(300),ms(300))).aggregate(() -> "", (k,v,a) -> a+"("+v+")", (k,x,y) -> x+"|"+y, mat("s")))).jitter(120,600).steps(120));

    // --- versioned tables
    for (String k : new String[]{"inner","left","outer"})
      add(new Sc("versioned-table-"+k, k+" join of two versioned tables, history 2000 ms", ins(in("left").nullValue(.15).value(r->"L"+r.nextInt(9)), in("right").nullValue(.15).value(r->"R"+r.nextInt(9))), outs("out"), b -> {
        Function<String,KTable<String,String>> vt = t -> b.table(t, Consumed.with(S,S), Materialized.<String,String>as(Stores.persistentVersionedKeyValueStore(t+"-vs", ms(2000))).withKeySerde(S).withValueSerde(S));
        KTable<String,String> x = vt.apply("left"), y = vt.apply("right");
        out(k.equals("inner") ? x.join(y,Oracle::j) : k.equals("left") ? x.leftJoin(y,Oracle::j) : x.outerJoin(y,Oracle::j)); }).jitter(150,1500));
    add(new Sc("versioned-group", "versioned table, history 2000 ms, groupBy(value).count()", ins(in("in").nullValue(.15).keys("a","b","c","d").value(r->"g"+r.nextInt(3))), outs("out"), b ->
      to(b.table("in", Consumed.with(S,S), Materialized.<String,String>as(Stores.persistentVersionedKeyValueStore("vs", ms(2000))).withKeySerde(S).withValueSerde(S))
        .groupBy((k,v) -> KeyValue.pair(v,k), G).count(matL("s")).toStream(), "out")).jitter(150,1500));
    add(new Sc("versioned-filter", "versioned table, history 2000 ms, filter(odd).toStream()", ins(in("in").nullValue(.15).value(r->"x"+r.nextInt(10))), outs("out"), b ->
      out(b.table("in", Consumed.with(S,S), Materialized.<String,String>as(Stores.persistentVersionedKeyValueStore("vs", ms(2000))).withKeySerde(S).withValueSerde(S))
        .filter((k,v) -> (v.charAt(1)-'0')%2==1))).jitter(150,1500));
  }
}
