import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * An idempotent producer of Apache Kafka's Java client whose id expires. Usage: ExpiredProducer.java CASE BROKERS TOPIC;
 * prints offsets as JSON.
 */
public class ExpiredProducer {
    /** Far longer than the server of the test remembers a producer. */
    static final long SILENCE_MS = 50;

    public static void main(String[] args) throws Exception {
        String brokers = args[1];
        String topic = args[2];
        List<Long> offsets = new ArrayList<>();
        Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "enable.idempotence", true);
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", brokers));
            KafkaProducer<String, String> producer =
                new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            create(admin, topic);
            switch (args[0]) {
                case "silence" -> {
                    for (String value : List.of("a", "b", "c")) {
                        offsets.add(send(producer, topic, value));
                        Thread.sleep(SILENCE_MS);
                    }
                }
                case "again" -> {
                    offsets.add(send(producer, topic, "a"));
                    offsets.add(send(producer, topic, "b"));
                    admin.deleteTopics(List.of(topic)).all().get();
                    create(admin, topic);
                    offsets.add(send(producer, topic, "c"));
                    offsets.add(send(producer, topic, "d"));
                }
                default -> throw new IllegalArgumentException(args[0]);
            }
        }
        System.out.println(offsets);
    }

    static void create(Admin admin, String topic) throws Exception {
        admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
    }

    /** Sends one record and waits for its acknowledgement; the offset. */
    static long send(KafkaProducer<String, String> producer, String topic, String value) throws Exception {
        return producer.send(new ProducerRecord<>(topic, 0, null, value)).get().offset();
    }
}
