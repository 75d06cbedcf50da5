import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** What Apache Kafka's Java client sees of a broker. Usage: JavaClient.java CASE BROKERS [ROUNDS]; prints what it found as JSON. */
public class JavaClient {
    static final Duration WAIT = Duration.ofSeconds(30);

    public static void main(String[] args) throws Exception {
        String brokers = args[1];
        switch (args[0]) {
            case "topics" -> print(topics(brokers));
            case "codecs" -> print(codecs(brokers));
            case "places" -> print(places(brokers));
            case "acknowledged" -> print(acknowledged(brokers, Integer.parseInt(args[2])));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    /** Created, listed, described by name and by id, deleted. */
    static Map<String, Object> topics(String brokers) throws Exception {
        String name = "java-topics";
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
            Uuid created = admin.createTopics(List.of(new NewTopic(name, 3, (short) 1))).topicId(name).get();
            boolean isListed = admin.listTopics().names().get().contains(name);
            TopicDescription byName = admin.describeTopics(List.of(name)).allTopicNames().get().get(name);
            TopicDescription byId = admin.describeTopics(TopicCollection.ofTopicIds(List.of(created)))
                .allTopicIds().get().get(created);
            String unknown;
            try {
                Uuid other = Uuid.randomUuid();
                unknown = admin.describeTopics(TopicCollection.ofTopicIds(List.of(other))).allTopicIds().get().toString();
            } catch (java.util.concurrent.ExecutionException thrown) {
                unknown = thrown.getCause().getClass().getSimpleName();
            }
            admin.deleteTopics(List.of(name)).all().get();
            boolean isListedAfter = admin.listTopics().names().get().contains(name);
            return Map.of(
                "listed", isListed,
                "partitions", byName.partitions().size(),
                "sameId", byName.topicId().equals(created),
                "byId", byId.name() + " " + byId.partitions().size(),
                "unknownId", unknown,
                "listedAfter", isListedAfter);
        }
    }

    /** Records of each codec from the usual, idempotent producer, read back by an assigned consumer. */
    static Map<String, Object> codecs(String brokers) throws Exception {
        Map<String, Object> found = new java.util.TreeMap<>();
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = "java-" + codec;
            List<String> sent = new ArrayList<>();
            List<Future<RecordMetadata>> acknowledged = new ArrayList<>();
            try (KafkaProducer<String, String> producer = producer(brokers, codec)) {
                for (int index = 0; index < 200; index += 1) {
                    String key = index % 3 == 0 ? null : "key-" + index;
                    String value = index % 5 == 0 ? null : ("value " + index + " ä").repeat(5);
                    long time = 1_700_000_000_000L + index;
                    ProducerRecord<String, String> record = new ProducerRecord<>(topic, 0, time, key, value);
                    record.headers().add("trace", String.valueOf(index).getBytes());
                    sent.add(index + " " + time + " " + key + " " + value + " " + index);
                    acknowledged.add(producer.send(record));
                }
            }
            boolean isInOrder = true;
            for (int index = 0; index < acknowledged.size(); index += 1) {
                isInOrder &= acknowledged.get(index).get().offset() == index;
            }
            found.put(codec, isInOrder && read(brokers, topic, sent.size()).equals(sent));
        }
        return found;
    }

    /** Bounds, offsets for times, the largest timestamp, and what a group committed. */
    static Map<String, Object> places(String brokers) throws Exception {
        TopicPartition place = new TopicPartition("java-places", 0);
        try (KafkaProducer<String, String> producer = producer(brokers, "none")) {
            for (long time : new long[] {1000, 3000, 2000}) {
                producer.send(new ProducerRecord<>(place.topic(), 0, time, null, "at " + time)).get();
            }
        }
        try (KafkaConsumer<String, String> consumer = consumer(brokers);
             Admin admin = Admin.create(Map.of("bootstrap.servers", brokers))) {
            List<Object> times = new ArrayList<>();
            for (long time : new long[] {1, 1500, 3000, 3001}) {
                var offset = consumer.offsetsForTimes(Map.of(place, time), WAIT).get(place);
                times.add(offset == null ? -1 : offset.offset());
            }
            consumer.assign(List.of(place));
            consumer.commitSync(Map.of(place, new OffsetAndMetadata(2, "a note")));
            OffsetAndMetadata committed = consumer.committed(java.util.Set.of(place), WAIT).get(place);
            long largest = admin.listOffsets(Map.of(place, OffsetSpec.maxTimestamp())).partitionResult(place).get().offset();
            return Map.of(
                "times", times,
                "bounds", List.of(
                    consumer.beginningOffsets(List.of(place), WAIT).get(place),
                    consumer.endOffsets(List.of(place), WAIT).get(place)),
                "largest", largest,
                "committed", committed.offset() + " " + committed.metadata());
        }
    }

    /** How often a second connection reads the record that was just acknowledged with acks 1 as the last one. */
    static Map<String, Object> acknowledged(String brokers, int rounds) throws Exception {
        TopicPartition place = new TopicPartition("java-acknowledged", 0);
        int read = 0;
        int stale = 0;
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", brokers, "acks", "1", "enable.idempotence", false),
                new StringSerializer(), new StringSerializer());
             KafkaConsumer<String, String> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", brokers, "enable.auto.commit", false, "fetch.max.wait.ms", 0),
                new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(place));
            for (int round = 0; round < rounds; round += 1) {
                String value = "round " + round;
                long offset = producer.send(new ProducerRecord<>(place.topic(), 0, null, value)).get().offset();
                long latest = consumer.endOffsets(List.of(place), WAIT).get(place);
                if (latest == offset + 1 && value.equals(valueAt(consumer, place, latest - 1))) {
                    read += 1;
                } else {
                    stale += 1;
                }
            }
        }
        return new java.util.TreeMap<>(Map.of("rounds", rounds, "read", read, "stale", stale));
    }

    static String valueAt(KafkaConsumer<String, String> consumer, TopicPartition place, long offset) {
        consumer.seek(place, offset);
        long deadline = System.nanoTime() + WAIT.toNanos();
        while (System.nanoTime() < deadline) {
            for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                if (record.offset() == offset) return record.value();
            }
        }
        return null;
    }

    static KafkaProducer<String, String> producer(String brokers, String codec) {
        return new KafkaProducer<>(
            Map.of("bootstrap.servers", brokers, "compression.type", codec, "linger.ms", 20),
            new StringSerializer(), new StringSerializer());
    }

    static KafkaConsumer<String, String> consumer(String brokers) {
        return new KafkaConsumer<>(
            Map.of("bootstrap.servers", brokers, "group.id", "java", "enable.auto.commit", false, "auto.offset.reset", "earliest"),
            new StringDeserializer(), new StringDeserializer());
    }

    static List<String> read(String brokers, String topic, int count) {
        List<String> found = new ArrayList<>();
        long deadline = System.nanoTime() + WAIT.toNanos();
        try (KafkaConsumer<String, String> consumer = consumer(brokers)) {
            TopicPartition place = new TopicPartition(topic, 0);
            consumer.assign(List.of(place));
            consumer.seekToBeginning(List.of(place));
            while (found.size() < count && System.nanoTime() < deadline) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    found.add(record.offset() + " " + record.timestamp() + " " + record.key() + " " + record.value()
                        + " " + new String(record.headers().lastHeader("trace").value()));
                }
            }
        }
        return found;
    }

    static void print(Object value) {
        System.out.println(json(value));
    }

    static String json(Object value) {
        if (value instanceof Map<?, ?> map) {
            return map.entrySet().stream().map(entry -> json(entry.getKey()) + ":" + json(entry.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        }
        if (value instanceof Collection<?> items) {
            return items.stream().map(JavaClient::json).collect(Collectors.joining(",", "[", "]"));
        }
        return value instanceof String text ? '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"' : String.valueOf(value);
    }
}
