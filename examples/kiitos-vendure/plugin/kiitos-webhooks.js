/**
 * Tells Kiitos what happens to orders: a signed POST for each order placed or changed, through Vendure's job queue.
 *
 * Vendure has no webhooks of its own, so this plug-in is the other half of the adapter. It signs the raw body with
 * HMAC-SHA256; the body itself names topic and shop, so that nothing Kiitos acts on is unsigned. The field names are
 * those of Vendure's Admin API, so that a pushed order and a fetched one are read by the same code.
 *
 *     plugins: [KiitosWebhooks.init({ url: process.env.KIITOS_URL, secret: process.env.KIITOS_SECRET, shop: 'shop.example' })]
 */
'use strict';
const { createHmac } = require('node:crypto');
const {
    EventBus, Fulfillment, FulfillmentStateTransitionEvent, JobQueueService, Logger, OrderPlacedEvent, OrderService,
    OrderStateTransitionEvent, PluginCommonModule, RefundStateTransitionEvent, RequestContextService,
    TransactionalConnection, VendurePlugin,
} = require('@vendure/core');

const RELATIONS = [
    'customer', 'customer.user', 'lines', 'lines.productVariant', 'lines.productVariant.product', 'shippingLines',
    'payments', 'payments.refunds', 'fulfillments', 'fulfillments.lines', 'surcharges',
];
const TRIES = 8;
const ANSWER_MS = 10_000;

class KiitosWebhooks {
    static init(options) {
        if (!options.url || !options.secret || !options.shop) {
            throw new Error('KiitosWebhooks needs url (as `kiitos shops list` shows it), secret, and shop (its domain)');
        }
        KiitosWebhooks.options = options;
        return KiitosWebhooks;
    }

    constructor(eventBus, jobs, orders, contexts, connection) {
        Object.assign(this, { eventBus, jobs, orders, contexts, connection });
    }

    async onApplicationBootstrap() {
        // A job carries the order's id and not its picture: when Kiitos was away, what arrives later is newest.
        this.queue = await this.jobs.createQueue({ name: 'kiitos-webhooks', process: job => this.send(job.data) });
        const told = (topic, event, orderId) => {
            const data = { topic, orderId, channel: event.ctx.channel.token, at: event.createdAt.toISOString() };
            this.queue.add(data, { retries: TRIES })
                .catch(error => Logger.error(`order ${orderId}: ${error.message}`, 'KiitosWebhooks'));
        };
        this.eventBus.ofType(OrderPlacedEvent).subscribe(e => told('order.placed', e, e.order.id));
        this.eventBus.ofType(OrderStateTransitionEvent).subscribe(e => {
            // A cart is nobody's order yet, and the placing itself is told above.
            if (e.order.orderPlacedAt && e.fromState !== 'ArrangingPayment') told('order.changed', e, e.order.id);
        });
        this.eventBus.ofType(RefundStateTransitionEvent).subscribe(e => told('order.changed', e, e.order.id));
        this.eventBus.ofType(FulfillmentStateTransitionEvent).subscribe(e => {
            // The second of two parcels changes no state of the order. A rejection nobody catches would end the server.
            this.ordersOf(e.ctx, e.fulfillment.id)
                .then(orders => orders.forEach(order => told('order.changed', e, order.id)))
                .catch(error => Logger.error(`parcel ${e.fulfillment.id}: ${error.message}`, 'KiitosWebhooks'));
        });
    }

    async ordersOf(ctx, fulfillmentId) {
        const repository = this.connection.getRepository(ctx, Fulfillment);
        const found = await repository.findOne({ where: { id: fulfillmentId }, relations: ['orders'] });
        return found?.orders ?? [];
    }

    async send({ topic, orderId, channel, at }) {
        const ctx = await this.contexts.create({ apiType: 'admin', channelOrToken: channel });
        const order = await this.orders.findOne(ctx, orderId, RELATIONS);
        if (!order) return;
        const body = JSON.stringify({ topic, shop: KiitosWebhooks.options.shop, at, order: picture(order) });
        const signature = createHmac('sha256', KiitosWebhooks.options.secret).update(body).digest('hex');
        const answer = await fetch(KiitosWebhooks.options.url, {
            method: 'POST',
            headers: { 'content-type': 'application/json', 'x-kiitos-signature': signature },
            body,
            redirect: 'error',
            signal: AbortSignal.timeout(ANSWER_MS),
        });
        if (!answer.ok) throw new Error(`Kiitos answered ${answer.status}`);
    }
}

function pick(object, ...names) {
    return Object.fromEntries(names.map(name => [name, object?.[name] ?? null]));
}

/** The order in the words of the Admin API: ids as text, money in minor units, times in ISO 8601. */
function picture(order) {
    const id = value => (value == null ? null : String(value));
    const address = value => (value && Object.keys(value).length ? pick(value,
        'fullName', 'company', 'streetLine1', 'streetLine2', 'city', 'province', 'postalCode', 'countryCode',
        'phoneNumber') : null);
    return {
        id: id(order.id),
        ...pick(order, 'code', 'state', 'createdAt', 'updatedAt', 'orderPlacedAt', 'currencyCode', 'subTotalWithTax',
            'shippingWithTax', 'totalWithTax', 'couponCodes'),
        customer: order.customer && {
            id: id(order.customer.id),
            ...pick(order.customer, 'firstName', 'lastName', 'emailAddress', 'phoneNumber', 'createdAt', 'updatedAt'),
        },
        shippingAddress: address(order.shippingAddress),
        billingAddress: address(order.billingAddress),
        discounts: (order.discounts ?? []).map(d => pick(d, 'description', 'amountWithTax')),
        lines: order.lines.map(line => ({
            id: id(line.id),
            ...pick(line, 'quantity', 'orderPlacedQuantity', 'proratedUnitPriceWithTax', 'proratedLinePriceWithTax'),
            productVariant: {
                id: id(line.productVariant.id),
                ...pick(line.productVariant, 'name', 'sku'),
                product: { id: id(line.productVariant.product?.id) },
            },
        })),
        payments: (order.payments ?? []).map(payment => ({
            id: id(payment.id),
            ...pick(payment, 'state', 'amount', 'method', 'createdAt', 'updatedAt'),
            refunds: (payment.refunds ?? []).map(refund => ({
                id: id(refund.id), ...pick(refund, 'state', 'total', 'reason', 'createdAt', 'updatedAt'),
            })),
        })),
        fulfillments: (order.fulfillments ?? []).map(fulfillment => ({
            id: id(fulfillment.id),
            ...pick(fulfillment, 'state', 'method', 'trackingCode', 'createdAt', 'updatedAt'),
            lines: (fulfillment.lines ?? []).map(line => ({ orderLineId: id(line.orderLineId), quantity: line.quantity })),
        })),
    };
}

Reflect.defineMetadata('design:paramtypes', [
    EventBus, JobQueueService, OrderService, RequestContextService, TransactionalConnection,
], KiitosWebhooks);
VendurePlugin({ imports: [PluginCommonModule], compatibility: '^3.0.0' })(KiitosWebhooks);
module.exports = { KiitosWebhooks };
