import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.Map;

/** The function of aws-lambda-java-runtime-interface-client. */
public class App implements RequestHandler<Map<String, Object>, Object> {
  @Override
  public Object handleRequest(Map<String, Object> event, Context context) {
    if ("error".equals(event.get("do"))) {
      throw new RuntimeException("no");
    }
    return event;
  }
}
