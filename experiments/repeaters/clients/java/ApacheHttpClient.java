// Apache's HttpClient as it comes, one for each try.
import java.io.IOException;
import java.util.Scanner;
import org.apache.hc.client5.http.config.RequestConfig;
import org.apache.hc.client5.http.impl.classic.*;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.entity.EntityUtils;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;
import org.apache.hc.core5.util.Timeout;

class ApacheHttpClient {
    public static void main(String[] args) throws Exception {
        var config = RequestConfig.custom().setResponseTimeout(Timeout.ofSeconds(1)).build();
        for (var lines = new Scanner(System.in); lines.hasNextLine();) {
            var words = lines.nextLine().split(" ");
            try (var client = HttpClients.custom().setDefaultRequestConfig(config).build()) {
                if (!words[0].equals("-")) send(client, args[0] + words[0], "GET", "-", "-");
                send(client, args[0] + words[2], words[1], words[3], words[4]);
            }
        }
    }

    static void send(CloseableHttpClient client, String url, String method, String key, String body) {
        var request = ClassicRequestBuilder.create(method).setUri(url);
        if (!key.equals("-")) request.addHeader("Idempotency-Key", '"' + key + '"');
        if (!body.equals("-")) request.setEntity(body, ContentType.TEXT_PLAIN);
        try {
            client.execute(request.build(), answer -> EntityUtils.toString(answer.getEntity()));
        } catch (IOException error) {
            System.out.println(url + " " + error);
        }
    }
}
