// Viewer request of the site's behavior: a path that names no file is a route of
// the single-page application and gets index.html. The query string stays. The
// address in the browser does not change.
//
// What is for those who run the app is refused: a process's health and metrics are no
// pages, and no answer of one process among many would be of use out here.
//
// A dot does not make a file: /c/gpt-4.1 is a route. An extension that browsers
// load does, and so does everything below /assets/.
var FILE = /\.(avif|bmp|css|csv|eot|gif|html?|ico|jpe?g|js|json|map|md|mjs|mp3|mp4|ogg|otf|pdf|png|svg|ttf|txt|wasm|wav|webm|webmanifest|webp|woff2?|xml|zip)$/i;

var REFUSED = []; // the module puts its refused_paths here

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch (e) {
    return path; // a lone % is no escape: S3 is asked for it as it is
  }
}

function handler(event) {
  var request = event.request;
  var path = decoded(request.uri);
  if (REFUSED.indexOf(path) >= 0) {
    return { statusCode: 404, statusDescription: 'Not Found' };
  }
  var asset = path.indexOf('/assets/') === 0 && path.charAt(path.length - 1) !== '/';
  if (!asset && !FILE.test(path)) {
    request.uri = '/index.html';
  }
  return request;
}
