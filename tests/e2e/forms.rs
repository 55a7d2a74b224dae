//! The other dump forms from S3 and all of them from a folder, each restored in the console with key presses.

use crate::console::restore_with_keys;
use crate::scene::{Form, Place};

macro_rules! keys {
    ($($name:ident: $form:ident from $place:ident,)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            restore_with_keys(Place::$place, Form::$form).await;
        })*
    };
}

keys! {
    plain_sql_from_s3: Plain from Bucket,
    gzipped_sql_from_s3: PlainGz from Bucket,
    a_custom_dump_from_s3: Custom from Bucket,
    plain_sql_from_a_folder: Plain from Folder,
    gzipped_sql_from_a_folder: PlainGz from Folder,
    a_custom_dump_from_a_folder: Custom from Folder,
    a_custom_dump_gzipped_again_from_a_folder: CustomGz from Folder,
}
