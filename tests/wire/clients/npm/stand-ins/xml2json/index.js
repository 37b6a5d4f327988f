// Stands in for the client's dependency of this name, whose old version needs a C++ library that no
// longer builds: elements as objects, the root included, and what is empty as an empty object.
const { XMLParser } = require('fast-xml-parser');

const parser = new XMLParser({
  ignoreDeclaration: true,
  parseTagValue: false,
  tagValueProcessor: (name, value) => value,
});

function emptied(value) {
  if (value === '') return {};
  if (Array.isArray(value)) return value.map(emptied);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, emptied(each)]));
}

exports.toJson = function toJson(text, options) {
  const found = emptied(parser.parse(text));
  return options && options.object ? found : JSON.stringify(found);
};
