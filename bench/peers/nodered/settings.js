// Node-RED for the bench: no editor, flows from the user folder, a kept SMTP pool for the function node.
const crypto = require('crypto');
const nodemailer = require('nodemailer');

const transport = nodemailer.createTransport({
  host: '127.0.0.1', port: Number(process.env.BENCH_SINK_PORT), secure: false, ignoreTLS: true,
  pool: true, maxConnections: 4, maxMessages: Infinity,
});

module.exports = {
  uiPort: Number(process.env.BENCH_PORT),
  uiHost: '127.0.0.1',
  flowFile: 'flows.json',
  userDir: process.env.BENCH_FOLDER,
  credentialSecret: false,
  httpAdminRoot: false,
  disableEditor: true,
  telemetry: { enabled: false },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
  functionGlobalContext: { crypto, transport, secret: process.env.BENCH_SECRET },
};
