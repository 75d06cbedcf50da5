import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** member.py with Apache Kafka's Java client; the same arguments and the same lines. */
public class Member implements ConsumerRebalanceListener {
    final KafkaConsumer<byte[], byte[]> consumer;
    /** Read and not committed: for each partition the first offset and the one after the last. */
    final Map<TopicPartition, long[]> pending = new HashMap<>();
    volatile boolean isRunning = true;

    Member(Map<String, Object> settings) {
        consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", args[0], "group.id", args[1], "group.protocol", args[3],
            "auto.offset.reset", "earliest", "enable.auto.commit", false));
        if (args[3].equals("classic")) {
            settings.put("partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            settings.put("session.timeout.ms", Integer.parseInt(args[4]));
            settings.put("heartbeat.interval.ms", Integer.parseInt(args[4]) / 6);
        }
        Member member = new Member(settings);
        Thread main = Thread.currentThread();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            member.isRunning = false;
            try {
                main.join();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }));
        member.run(args[2]);
    }

    void run(String topic) {
        consumer.subscribe(List.of(topic), this);
        try {
            while (isRunning) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    TopicPartition place = new TopicPartition(record.topic(), record.partition());
                    pending.computeIfAbsent(place, each -> new long[] {record.offset(), 0})[1] = record.offset() + 1;
                }
                commit(List.copyOf(pending.keySet()));
            }
            consumer.close();
        } catch (KafkaException failure) {
            System.out.println("{\"event\":\"fatal\",\"error\":\"" + failure.getClass().getSimpleName() + "\"}");
        }
    }

    /** Commits what is pending of these partitions and waits for the verdict, the same for all of them. */
    void commit(Collection<TopicPartition> places) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (TopicPartition place : places) {
            if (pending.containsKey(place)) offsets.put(place, new OffsetAndMetadata(pending.get(place)[1]));
        }
        if (offsets.isEmpty()) return;
        String ranges = offsets.keySet().stream()
            .map(place -> "[" + place.partition() + "," + pending.get(place)[0] + "," + pending.get(place)[1] + "]")
            .collect(Collectors.joining(",", "\"ranges\":[", "]"));
        System.out.println("{\"event\":\"committing\"," + ranges + "}");
        try {
            consumer.commitSync(offsets);
            pending.keySet().removeAll(offsets.keySet());
            System.out.println("{\"event\":\"committed\"," + ranges + "}");
        } catch (KafkaException failure) {
            String error = failure.getClass().getSimpleName();
            System.out.println("{\"event\":\"refused\"," + ranges + ",\"error\":\"" + error + "\"}");
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> places) {
        say("assigned", places);
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> places) {
        commit(places);
        pending.keySet().removeAll(places);
        say("revoked", places);
    }

    @Override
    public void onPartitionsLost(Collection<TopicPartition> places) {
        pending.keySet().removeAll(places);
        say("lost", places);
    }

    static void say(String event, Collection<TopicPartition> places) {
        String partitions = places.stream().map(each -> "" + each.partition()).collect(Collectors.joining(",", "[", "]"));
        System.out.println("{\"event\":\"" + event + "\",\"partitions\":" + partitions + "}");
    }
}
