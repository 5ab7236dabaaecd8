// Java's HttpClient, one for each try.
import java.net.URI;
import java.net.http.*;
import java.net.http.HttpRequest.BodyPublishers;
import java.time.Duration;
import java.util.Scanner;

class JavaHttpClient {
    public static void main(String[] args) throws Exception {
        for (var lines = new Scanner(System.in); lines.hasNextLine();) {
            var words = lines.nextLine().split(" ");
            var client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
            if (!words[0].equals("-")) send(client, args[0] + words[0], "GET", "-", "-");
            send(client, args[0] + words[2], words[1], words[3], words[4]);
        }
    }

    static void send(HttpClient client, String url, String method, String key, String body) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(url)).timeout(Duration.ofSeconds(1));
        if (!key.equals("-")) request.header("Idempotency-Key", '"' + key + '"');
        request.method(method, body.equals("-") ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        try {
            client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (java.io.IOException error) {
            System.out.println(url + " " + error);
        }
    }
}
