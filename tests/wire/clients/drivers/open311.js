// Calls every method of the npm client and prints what it gave its callbacks, as one JSON object.
const Open311 = require('open311');

const [, , base, discovery, apiKey, format, batch, text] = process.argv;
const form = JSON.parse(text);
const client = new Open311({ endpoint: base, discovery, apiKey, format, jurisdiction: 'miamidade' });

function call(method, ...args) {
  return new Promise((resolve, reject) => {
    client[method](...args, (err, data) => (err ? reject(new Error(`${method}: ${data}`)) : resolve(data)));
  });
}

(async () => {
  const found = {};
  found.discovery = await call('serviceDiscovery', {});
  found.services = await call('serviceList');
  found.definition = await call('serviceDefinition', form.service_code);
  found.submitted = await call('submitRequest', form);
  const id = found.submitted[0].service_request_id;
  // Its place is checked first; then it is in the lists.
  const deadline = Date.now() + 90000;
  do {
    found.one = await call('serviceRequest', id, {});
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  } while (!found.one[0].lat && Date.now() < deadline);
  const later = await call('submitRequest', { service_code: batch, lat: form.lat, long: form.long });
  found.token = later[0].token;
  do {
    [found.known] = await call('token', found.token);
    await new Promise((resolve) => { setTimeout(resolve, 250); });
  } while (!found.known.service_request_id && Date.now() < deadline);
  found.several = await call('serviceRequests', [id], {});
  found.open = await call('serviceRequests', { status: 'open', service_code: form.service_code, page_size: 1000 });
  found.refused = await call('serviceDefinition', 'NO-SUCH').catch((error) => error.message);
  console.log(JSON.stringify(found));
})().catch((error) => { console.error(error.stack); process.exit(1); });
