// Java's HttpURLConnection. Its pool is the process's; a lost reply empties it.
import java.io.IOException;
import java.net.*;
import java.util.Scanner;

class UrlConnection {
    public static void main(String[] args) throws Exception {
        for (var lines = new Scanner(System.in); lines.hasNextLine();) {
            var words = lines.nextLine().split(" ");
            if (!words[0].equals("-")) send(args[0] + words[0], "GET", "-", "-");
            send(args[0] + words[2], words[1], words[3], words[4]);
        }
    }

    static void send(String url, String method, String key, String body) throws Exception {
        var connection = (HttpURLConnection) URI.create(url).toURL().openConnection();
        connection.setReadTimeout(1000);
        connection.setRequestMethod(method);
        if (!key.equals("-")) connection.setRequestProperty("Idempotency-Key", '"' + key + '"');
        try {
            if (!body.equals("-")) {
                connection.setDoOutput(true);
                connection.getOutputStream().write(body.getBytes());
            }
            var failed = connection.getResponseCode() >= 400;
            (failed ? connection.getErrorStream() : connection.getInputStream()).readAllBytes();
        } catch (IOException error) {
            System.out.println(url + " " + error);
        }
    }
}
