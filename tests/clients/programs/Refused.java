// java Refused.java URL TIMES BYTES [HEADER…]: post a body so often, and print a line for each reply.
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Refused {
    public static void main(String[] words) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        byte[] body = new byte[Integer.parseInt(words[2])];
        HttpRequest.Builder made =
            HttpRequest.newBuilder(URI.create(words[0])).POST(HttpRequest.BodyPublishers.ofByteArray(body));
        for (int n = 3; n < words.length; n++) {
            String[] parts = words[n].split(": ", 2);
            made.header(parts[0], parts[1]);
        }
        for (int n = 0; n < Integer.parseInt(words[1]); n++) {
            try {
                HttpResponse<String> reply = client.send(made.build(), HttpResponse.BodyHandlers.ofString());
                System.out.println(reply.body().contains("\"error\"") ? reply.statusCode() : "no body");
            } catch (Exception error) {
                System.out.println(error);
            }
        }
        System.exit(0);
    }
}
