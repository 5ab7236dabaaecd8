// OkHttp, with a pool of its own for each try.
import java.io.IOException;
import java.util.Scanner;
import java.util.concurrent.TimeUnit;
import okhttp3.*;

class OkHttp {
    public static void main(String[] args) throws Exception {
        for (var lines = new Scanner(System.in); lines.hasNextLine();) {
            var words = lines.nextLine().split(" ");
            var builder = new OkHttpClient.Builder().connectionPool(new ConnectionPool());
            var client = builder.readTimeout(1, TimeUnit.SECONDS).build();
            if (!words[0].equals("-")) send(client, args[0] + words[0], "GET", "-", "-");
            send(client, args[0] + words[2], words[1], words[3], words[4]);
            client.connectionPool().evictAll();
        }
        System.exit(0);
    }

    static void send(OkHttpClient client, String url, String method, String key, String body) {
        var request = new Request.Builder().url(url);
        if (!key.equals("-")) request.header("Idempotency-Key", '"' + key + '"');
        var needsBody = method.equals("POST") || method.equals("PUT");
        var bytes = body.equals("-") ? new byte[0] : body.getBytes();
        request.method(method, bytes.length > 0 || needsBody ? RequestBody.create(bytes) : null);
        try (var answer = client.newCall(request.build()).execute()) {
            answer.body().bytes();
        } catch (IOException error) {
            System.out.println(url + " " + error);
        }
    }
}
