/**
 * A real Vendure shop for the tests: SQLite compiled to WebAssembly, in memory, seeded anew at every start.
 *
 *     PORT=3210 KIITOS_URL=http://127.0.0.1:8000/hooks/... KIITOS_SECRET=... KIITOS_SHOP=shop.example node server.js
 *
 * Prints one line `ready {...}` when the Shop API answers, and ends when standard input closes (no orphan is left
 * behind when the test that started it dies).
 */
'use strict';
process.env.VENDURE_DISABLE_TELEMETRY = 'true';
require('reflect-metadata');
const {
    bootstrap, DefaultJobQueuePlugin, DefaultLogger, dummyPaymentHandler, JobQueueService, LanguageCode, LogLevel,
} = require('@vendure/core');
const { populateInitialData } = require('@vendure/core/cli');
const { KiitosWebhooks } = require('../plugin/kiitos-webhooks.js');

const port = Number(process.env.PORT || 3210);

const config = {
    logger: new DefaultLogger({ level: LogLevel[process.env.LOG_LEVEL || 'Error'] }),
    apiOptions: { port, hostname: '127.0.0.1', adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
    authOptions: {
        tokenMethod: ['bearer', 'api-key'],
        requireVerification: false,
        superadminCredentials: { identifier: 'superadmin', password: process.env.SUPERADMIN_PASSWORD || 'superadmin' },
    },
    dbConnectionOptions: { type: 'sqljs', autoSave: false, synchronize: true, logging: false },
    paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
    importExportOptions: { importAssetsDir: __dirname },
    plugins: [
        DefaultJobQueuePlugin.init({ pollInterval: 100, backoffStrategy: tried => tried * 200 }),
        KiitosWebhooks.init({
            url: process.env.KIITOS_URL, secret: process.env.KIITOS_SECRET, shop: process.env.KIITOS_SHOP,
        }),
    ],
};

const initialData = {
    defaultLanguage: LanguageCode.en,
    defaultZone: 'Europe',
    countries: [{ name: 'Finland', code: 'FI', zone: 'Europe' }],
    taxRates: [{ name: 'Standard', percentage: 25.5 }],
    shippingMethods: [{ name: 'Posti parcel', price: 590 }],
    paymentMethods: [{ name: 'Invoice', handler: { code: dummyPaymentHandler.code, arguments: [{ name: 'automaticSettle', value: 'true' }] } }],
    collections: [],
};

async function main() {
    const app = await bootstrap(config);
    await populateInitialData(app, initialData);
    await app.get(JobQueueService).start();
    process.stdout.write(`ready ${JSON.stringify({ url: `http://127.0.0.1:${port}` })}\n`);
    const end = () => app.close().finally(() => process.exit(0));
    process.stdin.on('end', end).resume();
    process.on('SIGTERM', end);
}

main().catch(error => {
    process.stderr.write(`${error.stack || error}\n`);
    process.exit(1);
});
