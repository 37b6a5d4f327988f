// Stands in for the client's dependency of this name, which is on no registry: the 'Spark'
// convention of Open311. An element with one kind of child is a list, others are objects; numbers
// and booleans are read as such.
const { XMLParser } = require('fast-xml-parser');

const parser = new XMLParser({ preserveOrder: true, parseTagValue: false, trimValues: true });

function scalar(text) {
  if (text === '') return null;
  if (!Number.isNaN(Number(text))) return Number(text);
  const lower = text.toLowerCase();
  return lower === 'true' || lower === 'false' ? lower === 'true' : text;
}

function convert(nodes) {
  const children = nodes
    .map((node) => [Object.keys(node).find((key) => key !== ':@'), node])
    .filter(([name]) => name !== '#text');
  if (children.length === 0) {
    return scalar(nodes.map((node) => String(node['#text'])).join(''));
  }
  const names = new Set(children.map(([name]) => name));
  const values = children.map(([name, node]) => [name, convert(node[name])]);
  const list = names.size < children.length || children.length === 1;
  return list ? values.map(([, value]) => value) : Object.fromEntries(values);
}

exports.parseXml = function parseXml(text) {
  const root = parser.parse(text).find((node) => !Object.keys(node)[0].startsWith('?'));
  return convert(root[Object.keys(root)[0]]);
};
