<?php
/*
 * As much of WordPress as the pasted snippet meets, for `php -S`: one product's page that runs its hook. Transients are
 * files with the second they end at. `?page` is WordPress's own: a product has one page, so it answers 404.
 */
$hooks = array();
function add_action( $hook, $what, $priority = 10 ) { global $hooks; $hooks[ $hook ][ $priority ][] = $what; }
function do_action( $hook ) {
	global $hooks;
	ksort( $hooks[ $hook ] );
	foreach ( $hooks[ $hook ] as $each ) { foreach ( $each as $what ) { $what(); } }
}
function absint( $value ) { return abs( (int) $value ); }
function get_the_ID() { return (int) getenv( 'SHOP_PRODUCT' ); }
function get_permalink() { return 'https://metsa.example' . getenv( 'SHOP_PERMALINK' ); }
function wp_parse_url( $url, $part ) { return parse_url( $url, $part ); }
function kept_in( $name ) { return getenv( 'SHOP_TRANSIENTS' ) . '/' . $name; }
function set_transient( $name, $value, $seconds ) {
	return (bool) file_put_contents( kept_in( $name ), json_encode( array( $seconds, time() + $seconds, $value ) ) );
}
function get_transient( $name ) {
	if ( ! file_exists( kept_in( $name ) ) ) { return false; }
	list( , $ends, $value ) = json_decode( file_get_contents( kept_in( $name ) ), true );
	return time() < $ends ? $value : false;
}
class WP_Error {}
function wp_remote_get( $url, $arguments ) {
	file_put_contents( getenv( 'SHOP_TRANSIENTS' ) . '/asked.txt', $url . "\n", FILE_APPEND );
	$http = array( 'timeout' => $arguments['timeout'], 'follow_location' => $arguments['redirection'], 'ignore_errors' => true );
	$body = @file_get_contents( $url, false, stream_context_create( array( 'http' => $http ) ) );
	if ( false === $body ) { return new WP_Error(); }
	preg_match( '#^HTTP/\S+ (\d+)#', $http_response_header[0], $found );
	return array( 'code' => (int) $found[1], 'body' => $body );
}
function wp_remote_retrieve_response_code( $answer ) { return is_array( $answer ) ? $answer['code'] : ''; }
function wp_remote_retrieve_body( $answer ) { return is_array( $answer ) ? $answer['body'] : ''; }

error_reporting( E_ALL );
require getenv( 'SHOP_SNIPPET' );
if ( isset( $_GET['page'] ) ) {
	http_response_code( 404 );
	exit( 'no such page' );
}
echo '<!doctype html><html lang="en"><head><title>Mug</title></head><body><main><h1>Mug</h1>';
do_action( 'woocommerce_after_single_product_summary' );
echo '</main></body></html>';
