// Reads a librechat.yaml with a release's own parser and schema. See ConfigCheck.
const [server, file] = process.argv.slice(1);
const fs = require('fs');
const load = require('module').createRequire(server);
const optional = (name) => { try { return load(name); } catch { return {}; } };

const refuse = (lines) => { fs.writeSync(1, lines.join('\n') + '\n'); process.exit(3); };
const { configSchema } = optional('librechat-data-provider');
const yaml = optional('js-yaml');
if (!configSchema || !yaml.load) process.exit(0);

let config;
try {
  config = yaml.load(fs.readFileSync(file, 'utf8'));
} catch (err) {
  const at = err.mark ? `line ${err.mark.line + 1}, column ${err.mark.column + 1}: ` : '';
  refuse([at + (err.reason || err.message)]);
}
if (config == null) refuse(['it is empty']);
const told = (issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`;
const result = configSchema.strict().safeParse(config);
if (!result.success) refuse(result.error.issues.map(told));
